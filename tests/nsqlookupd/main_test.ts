import { assert, assertEquals, assertMatch } from "@std/assert";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";

function startNsqlookupd(...args: readonly string[]): ChildDaemon {
  const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  return new ChildDaemon([...programCommand("nsqlookupd"), ...addresses, ...args]);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runNsqlookupd() stops in order and ends with 0 on ${signal}`, async () => {
    await using nsqlookupd = startNsqlookupd();
    await nsqlookupd.logged(/(HTTP: listening).*\n/);

    nsqlookupd.kill(signal);

    assertEquals(await nsqlookupd.ended(), 0);
    assertMatch(nsqlookupd.log, /TCP: closing \S+\n.* HTTP: closing \S+\n$/);
  });
}

Deno.test("runNsqlookupd() ends with 1 and one line when it cannot start", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using nsqlookupd = startNsqlookupd(`--http-address=127.0.0.1:${(taken.addr as Deno.NetAddr).port}`);

  assertEquals(await nsqlookupd.ended(), 1);
  assertMatch(
    nsqlookupd.log,
    /\[nsqlookupd\] .* FATAL: failed to start nsqlookupd - Cannot listen on 127\.0\.0\.1:\d+: .*\n$/,
  );
});

Deno.test("runNsqlookupd() ends with 1 and one line on a bad flag", async () => {
  await using nsqlookupd = startNsqlookupd("--tombstone-lifetime=x");

  assertEquals(await nsqlookupd.ended(), 1);
  assertMatch(nsqlookupd.log, /^nsqlookupd: Bad value "x" of flag --tombstone-lifetime: .*\n$/);
});

Deno.test("runNsqlookupd() says in its log what was given and has no effect", async () => {
  await using nsqlookupd = startNsqlookupd("--log-prefix=[mine] ", "stray");
  await nsqlookupd.logged(/(HTTP: listening).*\n/);

  assert(
    /^\[mine\] \S+ \S+ WARNING: Arguments are ignored from "stray" on\n/.test(nsqlookupd.log),
    nsqlookupd.log,
  );
});

Deno.test("runNsqlookupd() writes its log as JSON with --log-format=json", async () => {
  await using nsqlookupd = startNsqlookupd("--log-format=json", "stray");
  await nsqlookupd.logged(/(HTTP: listening).*\n/);

  const lines = nsqlookupd.log.trimEnd().split("\n").map((line) => JSON.parse(line));
  const [{ time: _time, ...first }] = lines;
  assertEquals(first, {
    level: "WARNING",
    prefix: "[nsqlookupd]",
    message: 'Arguments are ignored from "stray" on',
  });
});
