import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { isPassword, LN_MIN, parsePasswordHash, passwordHash } from "../../../src/nsqadmin/login/password.ts";

const SALT = "A".repeat(22);
const HASH = "B".repeat(43);

/** A hash that was made by another program, of "password" (passlib's documentation). */
const FOREIGN = "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E";

for (
  const [text, isTaken] of [
    [`$scrypt$ln=14,r=8,p=1$${SALT}$${HASH}`, true],
    [`$scrypt$ln=10,r=8,p=4$${SALT}$${HASH}`, true],
    [`$scrypt$ln=16,r=8,p=1$${"A".repeat(86)}$${"B".repeat(86)}`, true],
    // What it costs is bounded.
    [`$scrypt$ln=9,r=8,p=1$${SALT}$${HASH}`, false],
    [`$scrypt$ln=17,r=8,p=1$${SALT}$${HASH}`, false],
    [`$scrypt$ln=14,r=16,p=1$${SALT}$${HASH}`, false],
    [`$scrypt$ln=14,r=8,p=0$${SALT}$${HASH}`, false],
    [`$scrypt$ln=14,r=8,p=5$${SALT}$${HASH}`, false],
    // And so are the sizes.
    [`$scrypt$ln=14,r=8,p=1$${"A".repeat(20)}$${HASH}`, false],
    [`$scrypt$ln=14,r=8,p=1$${SALT}$${"B".repeat(20)}`, false],
    [`$scrypt$ln=14,r=8,p=1$${"A".repeat(87)}$${HASH}`, false],
    [`$scrypt$ln=14,r=8,p=1$${SALT}$${"B".repeat(41)}`, false],
    [`$scrypt$ln=14,r=8,p=1$${SALT}$${HASH}=`, false],
    [`$scrypt$ln=14,r=8,p=1$${SALT}$`, false],
    [`$argon2id$v=19$m=65536,t=3,p=4$${SALT}$${HASH}`, false],
    ["secret", false],
    ["", false],
  ] as const
) {
  Deno.test(`parsePasswordHash() ${isTaken ? "takes" : "does not take"} ${text.slice(0, 60)}`, () => {
    assertEquals(parsePasswordHash(text) !== undefined, isTaken);
  });
}

/** Whether the text is a hash of the password. */
async function isHashOf(text: string, password: string): Promise<boolean> {
  const hash = parsePasswordHash(text);
  assert(hash !== undefined);
  return await isPassword(password, hash);
}

Deno.test("isPassword() knows the password of a hash that another program has made", async () => {
  assertEquals(await isHashOf(FOREIGN, "password"), true);
});

Deno.test("passwordHash() makes hashes of its password only, each with another salt", async () => {
  const hashes = await Promise.all([passwordHash("pässword", LN_MIN), passwordHash("pässword", LN_MIN)]);

  assertNotEquals(hashes[0], hashes[1]);
  for (const hash of hashes) {
    assertEquals(await isHashOf(hash, "pässword"), true);
    // The same letters, as other keyboards write them.
    assertEquals(await isHashOf(hash, "pa\u0308ssword"), true);
    assertEquals(await isHashOf(hash, "password"), false);
    assertEquals(await isHashOf(hash, ""), false);
  }
});

Deno.test("passwordHash() costs what it should", async () => {
  assertEquals((await passwordHash("x")).slice(0, 22), "$scrypt$ln=14,r=8,p=1$");
});
