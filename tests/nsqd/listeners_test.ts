import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { isDisconnect } from "../../src/net/connection.ts";
import { eventually } from "../support/eventually.ts";
import { nsqdIn, type NsqdInProcess, nsqdTest, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";

const PING = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";

/** Status of the answer to a request on a port. */
async function status(
  port: number | undefined,
  method: string,
  target: string,
  body?: string,
): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${target}`, {
    method,
    ...body !== undefined && { body },
  });
  await response.body?.cancel();
  return response.status;
}

/** A socket as a killed process leaves it. */
function abandon(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.new` });
  Deno.renameSync(`${path}.new`, path);
  listener.close();
}

const ADMIN_REQUESTS: readonly (readonly [method: string, target: string, body?: string])[] = [
  ["POST", "/topic/create?topic=t"],
  ["POST", "/channel/create?topic=t&channel=c"],
  ["POST", "/topic/pause?topic=t"],
  ["PUT", "/config/log_level", "info"],
  ["GET", "/config/log_level"],
  ["GET", "/debug/pprof/heap"],
  ["POST", "/topic/delete?topic=t"],
];

nsqdTest("With --admin-address administration is there, and nowhere else", async ({ nsqd }) => {
  const elsewhere: number[] = [];
  const there: number[] = [];
  for (const [method, target, body] of ADMIN_REQUESTS) {
    elsewhere.push(await status(nsqd.httpPort, method, target, body));
    there.push(await status(nsqd.adminPort, method, target, body));
  }

  assertEquals([new Set(elsewhere), new Set(there)], [new Set([404]), new Set([200])]);
}, { adminAddress: "127.0.0.1:0" });

nsqdTest("With --admin-address clients and checks are served on both addresses", async ({ nsqd }) => {
  for (const port of [nsqd.httpPort, nsqd.adminPort]) {
    assertEquals(await status(port, "GET", "/ping"), 200);
    assertEquals(await status(port, "GET", "/stats?format=json"), 200);
    assertEquals(await status(port, "POST", "/pub?topic=t", "x"), 200);
  }
}, { adminAddress: "127.0.0.1:0" });

nsqdTest("Without --admin-address administration is on the address of HTTP", async ({ nsqd }) => {
  assertEquals(nsqd.adminPort, undefined);
  assertEquals(await status(nsqd.httpPort, "POST", "/topic/create?topic=t"), 200);
});

Deno.test("--admin-address may be a unix socket, which takes no port", async () => {
  await withDataPath(async (dataPath) => {
    const path = `${dataPath}/admin.sock`;
    await withNsqd(dataPath, { adminAddress: path }, async () => {
      using client = new RawHttpClient(await Deno.connect({ transport: "unix", path }));
      await client.send("GET /config/log_level HTTP/1.1\r\nHost: h\r\n\r\n");

      assertMatch(await client.head(), /^HTTP\/1\.1 200 OK\r\n/);
    });
  });
});

Deno.test("Nsqd takes over unix sockets on which nobody listens any more, and says so", async () => {
  await withDataPath(async (dataPath) => {
    const [tcpAddress, httpAddress] = [`${dataPath}/tcp.sock`, `${dataPath}/http.sock`];
    abandon(tcpAddress);
    abandon(httpAddress);

    const lines = await withNsqd(dataPath, { tcpAddress, httpAddress }, async () => {
      using client = new RawHttpClient(await Deno.connect({ transport: "unix", path: httpAddress }));
      await client.send(PING);
      assertEquals(await client.response(), "HTTP/1.1 200 OK OK");
    });

    assertEquals(lines.filter((line) => line.includes("nobody listened")), [
      `INFO: removed the socket ${tcpAddress}, on which nobody listened any more`,
      `INFO: removed the socket ${httpAddress}, on which nobody listened any more`,
    ]);
  });
});

Deno.test("Nsqd does not start on a unix socket on which somebody listens", async () => {
  await withDataPath(async (dataPath) => {
    const httpAddress = `${dataPath}/http.sock`;
    using _other = Deno.listen({ transport: "unix", path: httpAddress });
    const nsqd = nsqdIn(dataPath, { httpAddress }, []);

    await assertRejects(() => nsqd.start(), Error, `Cannot listen on ${httpAddress}: `);

    assert(Deno.lstatSync(httpAddress).isSocket);
  });
});

/** Connections that are all being served. */
async function occupy({ nsqd }: NsqdInProcess, count: number): Promise<RawHttpClient[]> {
  const clients: RawHttpClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = await RawHttpClient.to({ port: nsqd.httpPort });
    await client.send(PING);
    await client.response();
    clients.push(client);
  }
  return clients;
}

nsqdTest("Connections beyond --http-max-connections get 503, and are counted in /stats", async (nsqd) => {
  const clients = await occupy(nsqd, 2);
  using late = await RawHttpClient.to({ port: nsqd.nsqd.httpPort });
  const refusal = await late.head();

  assertMatch(refusal, /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n/);
  const [first] = clients;
  await first.send("GET /stats?format=json HTTP/1.1\r\nHost: h\r\n\r\n");
  const stats = await first.response();
  assertMatch(stats, /"refused_connections":{"tcp":0,"http":1}/);
  assertMatch(
    stats,
    /"errors":{"counts":{"HTTP_MAX_CONNECTIONS":1},"last":\[{.*"there are 2 connections"}\]}/,
  );
  for (const client of clients) client.close();
  await eventually("room", async () => {
    using next = await RawHttpClient.to({ port: nsqd.nsqd.httpPort });
    try {
      await next.send(PING);
      return (await next.head()).startsWith("HTTP/1.1 200");
    } catch (error) {
      // It is refused before it has sent anything.
      if (isDisconnect(error)) return false;
      throw error;
    }
  });
}, { httpMaxConnections: 2 });

nsqdTest(
  "TCP connections beyond the limits, and what is no request, are counted by kind",
  async ({ nsqd }) => {
    const address = { hostname: "127.0.0.1", port: nsqd.tcpPort ?? 0 };
    using _first = await Deno.connect(address);
    await eventually("the first is served", () => nsqd.connections.size === 1);
    using second = await Deno.connect(address);
    assertEquals(await second.read(new Uint8Array(1)), null);
    using client = await RawHttpClient.to({ port: nsqd.httpPort });
    await client.send("what\r\n\r\n");
    assertMatch(await client.head(), /^HTTP\/1\.1 400 /);

    using asking = await RawHttpClient.to({ port: nsqd.httpPort });
    await asking.send("GET /stats?format=json HTTP/1.1\r\nHost: h\r\n\r\n");

    const stats = await asking.response();
    assertMatch(stats, /"counts":{"TCP_MAX_CONNECTIONS_PER_ADDRESS":1,"HTTP_400":1}/);
  },
  { maxConnectionsPerAddress: 1 },
);

nsqdTest("Connections of an address beyond --http-max-connections-per-address get 503", async (nsqd) => {
  const clients = await occupy(nsqd, 2);
  using late = await RawHttpClient.to({ port: nsqd.nsqd.httpPort });

  assertMatch(await late.head(), /^HTTP\/1\.1 503 /);
  for (const client of clients) client.close();
}, { httpMaxConnectionsPerAddress: 2 });

nsqdTest(
  "Nsqd ends an HTTP client that has sent nothing for --http-header-timeout, by itself",
  async ({ nsqd }) => {
    using client = await RawHttpClient.to({ port: nsqd.httpPort });

    assert(await client.ended());
  },
  { httpHeaderTimeoutMs: 1 },
);

nsqdTest(
  "Nsqd answers who asks for it by another name than --http-allowed-host with 403",
  async ({ nsqd }) => {
    const answers: string[] = [];
    for (const host of ["nsqd.example:4151", "127.0.0.1", "evil.example"]) {
      using client = await RawHttpClient.to({ port: nsqd.httpPort });
      await client.send(`GET /ping HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      answers.push(await client.response());
    }

    assertEquals(answers, [
      "HTTP/1.1 200 OK OK",
      "HTTP/1.1 200 OK OK",
      'HTTP/1.1 403 Forbidden {"message":"FOREIGN_HOST"}',
    ]);
  },
  { httpAllowedHosts: ["nsqd.example"] },
);

nsqdTest("Nsqd does not do what another site's page makes a browser ask", async ({ nsqd }) => {
  using client = await RawHttpClient.to({ port: nsqd.httpPort });

  await client.send(
    "POST /topic/create?topic=t HTTP/1.1\r\nHost: h\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
  );

  assertEquals(await client.response(), 'HTTP/1.1 403 Forbidden {"message":"FOREIGN_ORIGIN"}');
  assertEquals([...nsqd.broker.topics.keys()], []);
});
