import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { TempFolder } from "../support/interop.ts";
import { withCluster, withNsqadmin } from "../support/nsqadmin_in_process.ts";

function startNsqadmin(...args: readonly string[]): ChildDaemon {
  return new ChildDaemon([...programCommand("nsqadmin"), "--http-address=127.0.0.1:0", ...args]);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runNsqadmin() stops in order and ends with 0 on ${signal}`, async () => {
    await using nsqadmin = startNsqadmin("--lookupd-http-address=127.0.0.1:1");
    await nsqadmin.logged(/(HTTP: listening)/);

    nsqadmin.kill(signal);

    assertEquals(await nsqadmin.ended(), 0);
    assertMatch(nsqadmin.log, /HTTP: closing \S+\n$/);
  });
}

Deno.test("runNsqadmin() ends with 1 and one line on a bad flag", async () => {
  await using nsqadmin = startNsqadmin();

  assertEquals(await nsqadmin.ended(), 1);
  assertMatch(nsqadmin.log, /^nsqadmin: --nsqd-http-address, .* required\n$/);
});

Deno.test("runNsqadmin() ends with 1 when the address is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using nsqadmin = startNsqadmin(
    "--lookupd-http-address=127.0.0.1:1",
    `--http-address=127.0.0.1:${taken.addr.port}`,
  );

  assertEquals(await nsqadmin.ended(), 1);
  assertMatch(nsqadmin.log, /FATAL: failed to start nsqadmin - Cannot listen on 127\.0\.0\.1:\d+: .*\n$/);
});

for (
  const [address, reason] of [
    ["nobody.invalid:4161", /^failed to resolve --lookupd-http-address \(nobody\.invalid:4161\) - /],
    ["localhost", /^failed to resolve --lookupd-http-address \(localhost\) - no address with a port$/],
  ] as const
) {
  Deno.test(`Nsqadmin.start() refuses ${address}`, async () => {
    const error = await assertRejects(() =>
      withNsqadmin({ lookupdHttpAddresses: [address] }, async () => {})
    );

    assertMatch(error.message, reason);
  });
}

Deno.test("Nsqadmin.stop() ends requests that hang, of clients and to daemons", async () => {
  let asked = 0;
  await using lookupd = new FakeHttp(() => (asked++, new Promise(() => {})));
  const options = { lookupdHttpAddresses: [lookupd.address], httpClientRequestTimeoutMs: 60_000 };
  let hanging: Promise<unknown> | undefined;

  await withNsqadmin(options, async (admin) => {
    hanging = assertRejects(() => admin.ask("GET", "/api/topics"));
    await eventually("it is asked", () => asked === 1);
  });

  await hanging;
});

Deno.test("nsqadmin notes changes, and who may not make them, in its audit log", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/audit.log`;
  await withCluster({ nsqadmin: { auditLog: path, adminUsers: ["root"] } }, async ({ admin, topic }) => {
    await topic("t");
    const body = { action: "pause" };
    await admin.ask("POST", "/api/topics/t", { body, headers: { "X-Forwarded-User": "root" } });
    await admin.ask("DELETE", "/api/topics/t", { headers: { "X-Forwarded-User": "mallory" } });
    await admin.ask("GET", "/api/topics");
    admin.nsqadmin.reload();
    await admin.ask("PUT", "/config/log_level", { body: "warn" });
  });

  const events = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    events.map((
      { program, event, token, method, target, value, status },
    ) => [program, event, token, method, target, value, status]),
    [
      ["nsqadmin", "admin", "root", "POST", "/api/topics/t", '{"action":"pause"}', 200],
      ["nsqadmin", "admin", "mallory", "DELETE", "/api/topics/t", undefined, 403],
      ["nsqadmin", "admin", undefined, "PUT", "/config/log_level", "warn", 200],
    ],
  );
});
