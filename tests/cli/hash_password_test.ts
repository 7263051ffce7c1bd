import { assert, assertEquals, assertMatch } from "@std/assert";
import { isPassword, parsePasswordHash, PASSWORD_LENGTH_MAX } from "../../src/nsqadmin/login/password.ts";
import { programCommand } from "../support/child_daemon.ts";

/** Runs it with that on standard input. */
async function run(input: string, ...args: readonly string[]) {
  const [command, ...first] = programCommand("hash-password");
  const child = new Deno.Command(command, {
    args: [...first, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("denosq hash-password makes a hash of the line on standard input", async () => {
  const { code, out, err } = await run("correct horse \n");

  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^\$scrypt\$ln=14,r=8,p=1\$\S+\$\S+\n$/);
  const hash = parsePasswordHash(out.trim());
  assert(hash !== undefined);
  // With the space at its end.
  assertEquals([await isPassword("correct horse ", hash), await isPassword("correct horse", hash)], [
    true,
    false,
  ]);
});

for (
  const [what, input, code] of [
    ["nothing", "", 1],
    ["an empty line", "\n", 1],
    ["two lines", "secret\nsecret\n", 1],
    ["a password as long as it may be", "x".repeat(PASSWORD_LENGTH_MAX), 0],
    ["a longer one", "x".repeat(PASSWORD_LENGTH_MAX + 1), 1],
  ] as const
) {
  Deno.test(`denosq hash-password ${code === 0 ? "takes" : "refuses"} ${what}`, async () => {
    const { code: actual, out, err } = await run(input);

    assertEquals([actual, out === "", /secret|x{10}/.test(out + err)], [code, code === 1, false]);
  });
}

Deno.test("denosq hash-password takes no password of the command line", async () => {
  const { code, out, err } = await run("", "secret");

  assertEquals([code, out], [1, ""]);
  assertMatch(err, /^hash-password takes no arguments/);
  assertEquals((await run("", "--help")).code, 0);
});
