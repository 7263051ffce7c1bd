import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { nsqlookupdTest } from "../support/nsqlookupd_in_process.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";

const PING = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";

/** Status of the answer to a request on a port. */
async function status(port: number | undefined, method: string, target: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${target}`, { method });
  await response.body?.cancel();
  return response.status;
}

const ADMIN_REQUESTS: readonly (readonly [method: string, target: string])[] = [
  ["POST", "/topic/create?topic=t"],
  ["POST", "/channel/create?topic=t&channel=c"],
  ["POST", "/topic/tombstone?topic=t&node=n"],
  ["POST", "/channel/delete?topic=t&channel=c"],
  ["POST", "/topic/delete?topic=t"],
  ["GET", "/debug"],
  ["GET", "/debug/pprof"],
];

nsqlookupdTest("With --admin-address administration is there, and nowhere else", async ({ nsqlookupd }) => {
  const elsewhere: number[] = [];
  const there: number[] = [];
  for (const [method, target] of ADMIN_REQUESTS) {
    elsewhere.push(await status(nsqlookupd.httpPort, method, target));
    there.push(await status(nsqlookupd.adminPort, method, target));
  }

  assertEquals([new Set(elsewhere), new Set(there)], [new Set([404]), new Set([200])]);
}, { adminAddress: "127.0.0.1:0" });

nsqlookupdTest("With --admin-address consumers are served on both addresses", async ({ nsqlookupd }) => {
  for (const port of [nsqlookupd.httpPort, nsqlookupd.adminPort]) {
    for (const target of ["/ping", "/nodes", "/topics", "/channels?topic=t"]) {
      assertEquals([target, await status(port, "GET", target)], [target, 200]);
    }
  }
}, { adminAddress: "127.0.0.1:0" });

nsqlookupdTest("HTTP connections beyond --http-max-connections get 503", async ({ nsqlookupd }) => {
  using first = await RawHttpClient.to({ port: nsqlookupd.httpPort });
  await first.send(PING);
  await first.response();
  using second = await RawHttpClient.to({ port: nsqlookupd.httpPort });

  assertMatch(await second.head(), /^HTTP\/1\.1 503 /);
}, { httpMaxConnections: 1 });

nsqlookupdTest(
  "TCP connections of an address beyond --max-connections-per-address are closed",
  async (running) => {
    const { nsqlookupd } = running;
    using _first = await running.connect();
    await eventually("the first", () => nsqlookupd.connections.size === 1);
    using second = await RawHttpClient.to({ port: nsqlookupd.tcpPort });

    assert(await second.ended());
  },
  { maxConnectionsPerAddress: 1 },
);

nsqlookupdTest(
  "An HTTP client that has sent nothing for --http-header-timeout is ended",
  async ({ nsqlookupd }) => {
    using client = await RawHttpClient.to({ port: nsqlookupd.httpPort });

    assert(await client.ended());
  },
  { httpHeaderTimeoutMs: 1 },
);
