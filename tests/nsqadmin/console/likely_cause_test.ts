import { assertEquals, assertMatch } from "@std/assert";
import { likelyCause } from "../../../src/nsqadmin/console/likely_cause.ts";
import { ENGLISH } from "../../../src/nsqadmin/console/texts/english.tsx";
import { Cluster } from "../../../src/cluster/cluster.ts";
import { type Daemon, DaemonClient } from "../../../src/cluster/daemon_client.ts";
import { HttpClient } from "../../../src/http/http_client.ts";
import { FakeHttp, RawAnswerer } from "../../support/fake_http.ts";
import { deadAddress } from "../../support/ports.ts";

const CASES: readonly (readonly [reason: string, cause: RegExp])[] = [
  [
    'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused',
    /this nsqadmin is on.*--broadcast-address/,
  ],
  ['Get "http://[::]:1/": dial tcp [::]:1: connect: connection refused', /this nsqadmin is on/],
  ['Get "http://127x:1/": dial tcp 127x:1: connect: connection refused', /^Nobody listens there:/],
  ['Get "http://n:4151/info": dial tcp n:4151: connect: connection refused', /^Nobody listens there/],
  [
    'Get "http://db1:4151/info": dial tcp: lookup db1: no such host',
    /name is not known here.*--broadcast-address/,
  ],
  ['Get "http://n:4151/info": getaddrinfo EAI_AGAIN n', /name servers/],
  ['Get "http://10.0.0.1:4151/info": connect EHOSTUNREACH 10.0.0.1:4151', /no way.*--broadcast-address/],
  ['Get "http://172.17.0.2:1/": dial tcp 172.17.0.2:1: i/o timeout', /firewall.*--broadcast-address/],
  ['Get "http://n:1/": net/http: timeout awaiting response headers', /hangs/],
  ["is late, and not waited for", /hangs/],
  ['Get "http://n:4150/info": malformed HTTP response: Parse Error', /speaks no HTTP/],
  ['Get "http://n:4152/info": EOF', /speaks no HTTP/],
  ['Get "https://n:4152/info": self-signed certificate', /--http-client-tls-root-ca-file/],
  ['Get "https://n:4152/info": dial tcp n:4152: connect: connection refused', /^Nobody listens there/],
  ['got response 401 Unauthorized "{\\"message\\":\\"UNAUTHORIZED\\"}"', /--nsqd-auth-token-file/],
  ['got response 403 Forbidden "no"', /role read/],
  ['got response 404 Not Found "connection refused"', /^Something else answers there/],
  ['got response 503 Service Unavailable "{\\"message\\":\\"LOADING\\"}"', /still reads its data path/],
  ['got response 500 Internal Server Error "x"', /its log says more/],
  ['Get "http://a b/info": invalid address', /is no address/],
  ['Get "http://n:1/stats": memory is no object', /does not answer as NSQ does/],
  ['Get "http://n:1/stats": the answer has more than 33554432 bytes', /more than is read/],
];

for (const [reason, cause] of CASES) {
  Deno.test(`likelyCause() of ${reason}`, () => assertMatch(likelyCause(ENGLISH, reason) ?? "", cause));
}

Deno.test("likelyCause() says nothing of what it does not know", () => {
  assertEquals(likelyCause(ENGLISH, 'Get "http://n:1/info": context canceled'), undefined);
});

Deno.test("likelyCause() knows the words of the client itself", async () => {
  const end = new AbortController();
  const http = new HttpClient({ connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, signal: end.signal });
  await using hung = new FakeHttp(() => new Promise(() => {}));
  // It has to be connected to in that time.
  const timeoutMs = ({ address }: Daemon) => address === hung.address ? 2000 : undefined;
  const client = new DaemonClient(http, { timeoutMs });
  await using tcp = new RawAnswerer("    E_INVALID");
  await using closing = new RawAnswerer("");
  await using page = new FakeHttp(() => new Response("<html>"));
  await using half = new FakeHttp(() => new Response('{"version":'));
  await using other = new FakeHttp(() => Response.json([]));
  const reasonOf = async (address: string) => {
    const cluster = new Cluster(client, () => ({ lookupds: [], gossip: [], nsqds: [address] }));
    return await cluster.nodesOnly().then(() => "", ({ failures: [{ reason }] }) => reason);
  };

  const causes = [];
  for (
    const address of [
      deadAddress(),
      hung.address,
      tcp.address,
      closing.address,
      page.address,
      half.address,
      other.address,
      "a b:1",
    ]
  ) {
    causes.push(likelyCause(ENGLISH, await reasonOf(address))?.split(/[ ,:]/).slice(0, 5).join(" "));
  }

  assertEquals(causes, [
    "Nobody listens there  and",
    "It takes connections  and",
    "What answers there speaks no",
    "What answers there speaks no",
    "What answers there does not",
    "What answers there does not",
    "What answers there does not",
    "What was told is no",
  ]);
});
