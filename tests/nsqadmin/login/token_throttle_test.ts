import { assertEquals } from "@std/assert";
import { LOGIN_WAIT_MS, WRONG_LOGINS_MAX } from "../../../src/nsqadmin/login/throttle.ts";
import { KNOWN_USERS_MAX, TokenThrottle } from "../../../src/nsqadmin/login/token_throttle.ts";
import { UserFile } from "../../../src/nsqadmin/login/user_file.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { TempFolder } from "../../support/interop.ts";
import { logIn, tokenHash, userLines } from "../../support/login.ts";
import { withNsqadmin } from "../../support/nsqadmin_in_process.ts";

/** Lets so many tokens of an address be wrong. */
function guess(throttle: TokenThrottle, count: number, address = "a"): void {
  for (let i = 0; i < count; i++) throttle.tried(address, undefined, 0);
}

Deno.test("TokenThrottle holds up an address after wrong tokens, right ones and wrong ones alike", () => {
  const throttle = new TokenThrottle();
  guess(throttle, WRONG_LOGINS_MAX - 1);
  assertEquals(throttle.waitMs("a", undefined, 0), 0);

  guess(throttle, 1);

  assertEquals(throttle.waitMs("a", undefined, 0), LOGIN_WAIT_MS);
  assertEquals(throttle.waitMs("a", "ci", 0), LOGIN_WAIT_MS);
  assertEquals(throttle.waitMs("another", undefined, 0), 0);
  assertEquals(throttle.waitMs("a", "ci", LOGIN_WAIT_MS), 0);
});

Deno.test("TokenThrottle lets a user go on who is known at the address, and nobody else", () => {
  const throttle = new TokenThrottle();
  throttle.tried("a", "ci", 0);

  guess(throttle, WRONG_LOGINS_MAX);

  assertEquals(throttle.waitMs("a", "ci", 0), 0);
  assertEquals(throttle.waitMs("a", "other", 0), LOGIN_WAIT_MS);
  guess(throttle, WRONG_LOGINS_MAX, "b");
  assertEquals(throttle.waitMs("b", "ci", 0), LOGIN_WAIT_MS);
});

Deno.test("TokenThrottle begins anew after a right token, but not after those of who is known", () => {
  const throttle = new TokenThrottle();
  guess(throttle, WRONG_LOGINS_MAX - 1);
  throttle.tried("a", "ci", 0);
  guess(throttle, WRONG_LOGINS_MAX - 1);
  assertEquals(throttle.waitMs("a", undefined, 0), 0);

  throttle.tried("a", "ci", 0);
  guess(throttle, 1);

  assertEquals(throttle.waitMs("a", undefined, 0), LOGIN_WAIT_MS);
});

Deno.test("TokenThrottle knows as many users as it may, those that have come last", () => {
  const throttle = new TokenThrottle();
  throttle.tried("a", "first", 0);
  throttle.tried("a", "second", 0);
  throttle.tried("a", "first", 0);
  for (let i = 2; i < KNOWN_USERS_MAX; i++) throttle.tried(`10.0.0.${i}`, "ci", 0);
  guess(throttle, WRONG_LOGINS_MAX);
  const waits = () => ["first", "second"].map((user) => throttle.waitMs("a", user, 0));
  assertEquals(waits(), [0, 0]);

  throttle.tried("one more", "ci", 0);

  assertEquals(waits(), [0, LOGIN_WAIT_MS]);
});

Deno.test("Wrong tokens are held up by the client's address, and noted, and nobody else is", async () => {
  await using nsqd = new FakeHttp(() => Response.json({ topics: [] }));
  await using folder = await TempFolder.make();
  const auditLog = `${folder.path}/audit.log`;
  const options = { nsqdHttpAddresses: [nsqd.address], auditLog, trustedProxies: ["127.0.0.1"] };
  const [known, other] = ["0123456789abcdef", "fedcba9876543210"];
  const users = UserFile.parse(
    `${userLines({ vera: "viewer" })}ci viewer ${tokenHash(known)}\ncd viewer ${tokenHash(other)}`,
    "",
  );
  await withNsqadmin(options, async (admin) => {
    const from = (client: string, token: string) => ({
      "X-Forwarded-For": client,
      Authorization: `Bearer ${token}`,
    });
    const ask = (headers: Record<string, string>, target = "/api/topics") =>
      admin.ask("GET", target, { headers });
    const session = { "X-Forwarded-For": "203.0.113.7", ...await logIn(admin, "vera") };
    assertEquals((await ask(from("203.0.113.7", known))).status, 200);
    for (let i = 0; i < WRONG_LOGINS_MAX; i++) {
      // Of pages and API together, short ones too, which are never right.
      const [token, target] = i % 2 ? ["wrong", "/nodes"] : [`wrong-wrong-wrong-${i}`, "/api/topics"];
      assertEquals((await ask(from("203.0.113.7", token), target)).status, 401);
    }

    for (const token of ["wrong-wrong-wrong", other]) {
      const { status, headers, json } = await ask(from("203.0.113.7", token));
      const seconds = Number(headers.get("retry-after"));
      assertEquals([status, seconds > 50 && seconds <= 60], [429, true]);
      assertEquals(json, { message: "TOO_MANY_WRONG_LOGINS" });
    }
    assertEquals((await ask(from("203.0.113.7", other), "/nodes")).status, 429);
    // Whoever is known there, has a session, logs in, or comes from elsewhere, goes on.
    assertEquals((await ask(from("203.0.113.7", known))).status, 200);
    assertEquals((await ask(session)).status, 200);
    await logIn(admin, "vera");
    assertEquals((await ask(from("203.0.113.8", other))).status, 200);
  }, { users });

  const audit = await Deno.readTextFile(auditLog);
  const refused = audit.trimEnd().split("\n").map((line) => JSON.parse(line)).filter(({ event }) =>
    event === "refused"
  );
  assertEquals(refused.length, WRONG_LOGINS_MAX + 3);
  assertEquals(
    refused.slice(-2).map(({ address, token, target, status, reason }) =>
      [address, token, target, status, reason].join(" ")
    ),
    [
      "203.0.113.7  /api/topics 429 TOO_MANY_WRONG_LOGINS",
      "203.0.113.7  /nodes 429 TOO_MANY_WRONG_LOGINS",
    ],
  );
  assertEquals(audit.includes(other) || audit.includes("wrong-wrong"), false);
});
