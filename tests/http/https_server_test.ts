import { connect } from "node:tls";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Answer, HeaderBlock } from "../../src/http/answer.ts";
import { serveWithRuntime } from "../../src/http/deno_serve.ts";
import { serveHttp } from "../../src/http/server.ts";
import { TlsServer } from "../../src/net/tls_server.ts";
import type { TlsServerOptions } from "../../src/tls/acceptor.ts";
import { type Certificate, type Certificates, certificateTest } from "../support/certificates.ts";
import { sum, TestHttpServer, type TestServerOptions } from "../support/http_server.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";

const PING = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";

/** What the ways to serve HTTPS have in common is tested with each. */
const KINDS: readonly (readonly [name: string, setup: Setup])[] = [
  ["serveHttp() without conditions", {}],
  ["serveHttp() with client certificates", { conditions: { clientAuth: "require-verify" } }],
  ["serveWithRuntime()", { serve: serveWithRuntime }],
];

interface Setup extends TestServerOptions {
  readonly conditions?: Partial<TlsServerOptions>;
}

/** A server of HTTPS that is closed in the end. */
class TestServer extends TestHttpServer {
  readonly #certificates: Certificates;

  constructor(certificates: Certificates, { conditions, ...options }: Setup = {}) {
    super({ ...options, tls: tlsOf(certificates, conditions) });
    this.#certificates = certificates;
  }

  /** Status and body of the answer to a request. */
  async fetch(path: string, init: RequestInit = {}, own?: Certificate): Promise<[number, string]> {
    const caCerts = [this.#certificates.ca.cert];
    using client = Deno.createHttpClient({ caCerts, ...own && { cert: own.cert, key: own.key } });
    const response = await fetch(`https://localhost:${this.port}${path}`, { ...init, client });
    return [response.status, await response.text()];
  }

  /** A connection of a client that has the right certificate. */
  async connectTls(): Promise<RawHttpClient> {
    const { ca, client: { cert, key } } = this.#certificates;
    const where = { hostname: "localhost", port: this.port };
    return new RawHttpClient(await Deno.connectTls({ ...where, caCerts: [ca.cert], cert, key }));
  }
}

function tlsOf({ server, ca }: Certificates, conditions: Partial<TlsServerOptions> = {}): TlsServer {
  return new TlsServer({
    cert: server.cert,
    key: server.key,
    rootCa: ca.cert,
    clientAuth: "none",
    minVersion: "TLSv1.2",
    ...conditions,
  });
}

const ADMISSION: readonly [
  clientAuth: TlsServerOptions["clientAuth"],
  own: "client" | "stranger" | undefined,
  reason: string | undefined,
][] = [
  ["none", undefined, undefined],
  ["none", "stranger", undefined],
  ["require", undefined, "tls: client didn't provide a certificate"],
  ["require", "client", undefined],
  ["require", "stranger", undefined],
  ["require-verify", undefined, "tls: client didn't provide a certificate"],
  ["require-verify", "client", undefined],
  [
    "require-verify",
    "stranger",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority",
  ],
];

for (const [clientAuth, own, reason] of ADMISSION) {
  const title = `${reason === undefined ? "admits" : "refuses"} a client with ${
    own ? `a ${own}'s` : "no"
  } certificate`;
  certificateTest(`serveHttp() ${title} for "${clientAuth}"`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions: { clientAuth } });

    const answer = await server.fetch("/ping", {}, own && certificates[own]).catch(() => "refused");

    assertEquals(answer, reason === undefined ? [200, "OK"] : "refused");
    const refusal = /^WARNING: HTTPS: TLS handshake error from 127\.0\.0\.1:\d+ - (.+)/;
    const refusals = server.lines.map((line) => refusal.exec(line)?.[1]).filter((each) => each !== undefined);
    assertEquals([...new Set(refusals)], reason === undefined ? [] : [reason]);
  });
}

certificateTest("serveHttp() verifies against no authority when it is given none", async (certificates) => {
  await using server = new TestServer(certificates, {
    conditions: { clientAuth: "require-verify", rootCa: undefined },
  });

  await assertRejects(() => server.fetch("/ping", {}, certificates.client), TypeError);
});

const VERSIONS: readonly [
  minVersion: TlsServerOptions["minVersion"],
  clientAuth: TlsServerOptions["clientAuth"],
  client: "TLSv1.2" | "TLSv1.3",
  agreed: string | undefined,
][] = [
  ["TLSv1.2", "none", "TLSv1.2", "TLSv1.2"],
  ["TLSv1.2", "none", "TLSv1.3", "TLSv1.3"],
  ["TLSv1.2", "require-verify", "TLSv1.2", "TLSv1.2"],
  ["TLSv1.2", "require-verify", "TLSv1.3", "TLSv1.3"],
  ["TLSv1.3", "none", "TLSv1.2", undefined],
  ["TLSv1.3", "none", "TLSv1.3", "TLSv1.3"],
  ["TLSv1.3", "require-verify", "TLSv1.2", undefined],
  ["TLSv1.3", "require-verify", "TLSv1.3", "TLSv1.3"],
];

for (const [minVersion, clientAuth, version, agreed] of VERSIONS) {
  const title = `${agreed === undefined ? "refuses" : "serves"} ${version}`;
  certificateTest(`serveHttp() ${title} from ${minVersion} on with "${clientAuth}"`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions: { clientAuth, minVersion } });
    const { ca, client: { cert, key } } = certificates;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();

    const options = { host: "localhost", ca: ca.cert, cert, key, minVersion: version, maxVersion: version };
    const socket = connect(
      { ...options, port: server.port },
      () => socket.write("GET /ping HTTP/1.0\r\n\r\n"),
    );
    socket.once("error", () => resolve(undefined));
    socket.once("data", () => resolve(socket.getProtocol() ?? undefined));
    socket.once("close", () => resolve(undefined));

    assertEquals(await promise, agreed);
    socket.destroy();
  });
}

for (
  const conditions of [{ clientAuth: "require" }, { minVersion: "TLSv1.3" }] satisfies Partial<
    TlsServerOptions
  >[]
) {
  certificateTest(`serveWithRuntime() refuses ${JSON.stringify(conditions)}`, (certificates) => {
    assertThrows(
      () => new TestServer(certificates, { serve: serveWithRuntime, conditions }),
      Error,
      "Cannot ask for client certificates or TLS 1.3 where the platform serves HTTPS",
    );
    return Promise.resolve();
  });
}

certificateTest("serveHttp() serves with a certificate of X.509's version 1", async (certificates) => {
  const { cert, key } = certificates.oldServer;
  await using server = new TestServer(certificates, { conditions: { cert, key } });
  const { promise, resolve, reject } = Promise.withResolvers<string>();

  // The one client of this runtime that can be told not to look at the certificate.
  const socket = connect({ host: "localhost", port: server.port, rejectUnauthorized: false }, () => {
    socket.write("GET /ping HTTP/1.0\r\n\r\n");
  });
  socket.once("error", reject);
  socket.once("data", (bytes) => resolve(bytes.toString()));

  assertMatch(await promise, /^HTTP\/1\.\d 200 OK\r\n/);
  socket.destroy();
});

for (
  const clientAuth of ["none", "require"] satisfies TlsServerOptions["clientAuth"][]
) {
  certificateTest(
    `HttpServer.close() ends a connection that has said nothing yet, for "${clientAuth}"`,
    async (certificates) => {
      const server = new TestServer(certificates, { conditions: { clientAuth } });
      using silent = await server.connect();

      await server.close();

      assert(await silent.ended());
    },
  );
}

certificateTest("HttpServer.renew() gives new connections another certificate", async (certificates) => {
  await using server = new TestServer(certificates);
  using before = await server.connectTls();
  await before.send(PING);
  await before.response();

  server.server.renew(tlsOf(certificates, { clientAuth: "require-verify" }));

  await assertRejects(() => server.fetch("/ping"), TypeError);
  assertEquals(await server.fetch("/ping", {}, certificates.client), [200, "OK"]);
  await before.send(PING);
  assertEquals(await before.response(), "HTTP/1.1 200 OK OK");
});

certificateTest("HttpServer.renew() goes back to what the runtime itself serves", async (certificates) => {
  await using server = new TestServer(certificates, { conditions: { clientAuth: "require-verify" } });

  server.server.renew(tlsOf(certificates));

  assertEquals(await server.fetch("/ping"), [200, "OK"]);
});

Deno.test("HttpServer.renew() is of no use without TLS", async () => {
  await using server = new TestHttpServer({ serve: serveHttp });
  // Nothing of it is looked at.
  const tls = Object.create(TlsServer.prototype) as TlsServer;

  assertThrows(() => server.server.renew(tls), TypeError, "There is no certificate where there is no TLS");
});

for (const [name, setup] of KINDS) {
  certificateTest(`${name} logs where it listens, and when it closes`, async (certificates) => {
    const server = new TestServer(certificates, setup);

    await server.close();

    assertEquals(server.lines, [
      `INFO: HTTPS: listening on 127.0.0.1:${server.port}`,
      `INFO: HTTPS: closing 127.0.0.1:${server.port}`,
    ]);
  });

  certificateTest(`${name} throws with address and cause for a taken port`, async (certificates) => {
    await using server = new TestServer(certificates, setup);
    const address = { kind: "tcp", hostname: "127.0.0.1", port: server.port } as const;

    const error = assertThrows(
      () => new TestServer(certificates, { ...setup, address }),
      Error,
      `Cannot listen on 127.0.0.1:${server.port}: `,
    );

    assert(error.cause instanceof Deno.errors.AddrInUse);
  });

  certificateTest(`${name} tells handlers the client's address`, async (certificates) => {
    await using server = new TestServer(certificates, setup);

    const [, text] = await server.fetch("/peer", {}, certificates.client);

    assertMatch(text, /^127\.0\.0\.1:\d+$/);
  });

  certificateTest(`${name} sends a large answer whole`, async (certificates) => {
    await using server = new TestServer(certificates, setup);

    const [, text] = await server.fetch("/large", {}, certificates.client);

    assertEquals(text.length, 5_000_000);
  });

  certificateTest(`${name} reads a large body whole`, async (certificates) => {
    await using server = new TestServer(certificates, setup);
    const body = new Uint8Array(900_000).map((_, i) => i % 251);

    const announced = await server.fetch("/read", { method: "POST", body }, certificates.client);
    const parts = ReadableStream.from([body.subarray(0, 7), body.subarray(7)]);
    const chunked = await server.fetch("/read", { method: "POST", body: parts }, certificates.client);

    assertEquals([announced, chunked], [[200, sum(body)], [200, sum(body)]]);
  });

  certificateTest(`${name} answers over a connection that is kept`, async (certificates) => {
    await using server = new TestServer(certificates, setup);
    using client = await server.connectTls();

    await client.send(PING);
    const first = await client.response();
    await client.send(PING + PING);

    assertEquals(
      [first, await client.response(), await client.response()],
      Array(3).fill("HTTP/1.1 200 OK OK"),
    );
  });

  certificateTest(`${name} survives what is no TLS, and what is no HTTP`, async (certificates) => {
    await using server = new TestServer(certificates, setup);
    using plain = await server.connect();
    using garbage = await server.connectTls();

    await plain.send("GET /ping HTTP/1.0\r\n\r\n");
    await garbage.send("NOT HTTP AT ALL\r\n\r\n");
    const refusal = await garbage.head();

    assertMatch(refusal, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assertEquals(await server.fetch("/ping", {}, certificates.client), [200, "OK"]);
  });

  certificateTest(`HttpServer.close() of ${name} lets a request finish`, async (certificates) => {
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const server = new TestServer(certificates, {
      ...setup,
      handler: async () => {
        entered.resolve();
        await release.promise;
        return new Answer(200, new HeaderBlock([]), "finished");
      },
    });
    const slow = server.fetch("/", {}, certificates.client);
    await entered.promise;

    const closed = server.close();
    release.resolve();

    assertEquals(await slow, [200, "finished"]);
    await closed;
  });
}
