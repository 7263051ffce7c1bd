import { connect } from "node:tls";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { v1 } from "../../src/http/decorators.ts";
import type { RequestHandler } from "../../src/http/http_request.ts";
import { serveHttps } from "../../src/http/https_server.ts";
import type { TlsServerOptions } from "../../src/tls/acceptor.ts";
import { route } from "../../src/http/route_table.ts";
import { Router } from "../../src/http/router.ts";
import { type Certificate, type Certificates, certificateTest } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";

const GRACE_MS = 5000;

/** What the two ways to serve HTTPS have in common is tested with both. */
const KINDS: readonly [name: string, conditions: Partial<TlsServerOptions>][] = [
  ["without conditions", {}],
  ["to clients with a certificate", { clientAuth: "require-verify" }],
];

interface Setup {
  readonly handler?: RequestHandler;
  readonly trusting?: boolean;
  readonly conditions?: Partial<TlsServerOptions>;
  readonly port?: number;
}

/** A server that is closed in the end, and what it logs. */
class TestServer implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly server: ReturnType<typeof serveHttps>;
  readonly #certificates: Certificates;

  constructor(certificates: Certificates, { handler, trusting = true, conditions, port = 0 }: Setup = {}) {
    this.#certificates = certificates;
    const { lines } = this;
    const logger = new Logger({
      prefix: "",
      level: LOG_LEVELS.info,
      write: (line) => lines.push(line.slice(27)),
    });
    this.server = serveHttps({
      address: { kind: "tcp", hostname: "127.0.0.1", port },
      handler: handler ?? router(logger, trusting).handle,
      logger,
      tls: {
        cert: certificates.server.cert,
        key: certificates.server.key,
        rootCa: certificates.ca.cert,
        clientAuth: "none",
        minVersion: "TLSv1.2",
        ...conditions,
      },
    });
  }

  get port(): number {
    return this.server.port ?? 0;
  }

  /** Status and body of the answer to a request. */
  async fetch(path: string, init: RequestInit = {}, own?: Certificate): Promise<[number, string]> {
    const caCerts = [this.#certificates.ca.cert];
    using client = Deno.createHttpClient({ caCerts, ...own && { cert: own.cert, key: own.key } });
    const response = await fetch(`https://localhost:${this.port}${path}`, { ...init, client });
    return [response.status, await response.text()];
  }

  /** A connection of a client that has the right certificate. */
  async connect(): Promise<RawHttpClient> {
    const { ca, client: { cert, key } } = this.#certificates;
    const connection = await Deno.connectTls({
      hostname: "localhost",
      port: this.port,
      caCerts: [ca.cert],
      cert,
      key,
    });
    return new RawHttpClient(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ graceMs: GRACE_MS });
    await this.server.finished;
  }
}

function router(logger: Logger, trusting: boolean): Router {
  return new Router({
    logger,
    trusting,
    routes: [
      route("GET", "/ping", v1(() => "OK")),
      route("GET", "/peer", v1((context) => context.remoteAddress)),
      route("GET", "/large", v1(() => "x".repeat(5_000_000))),
      route("POST", "/unread", v1(() => "unread")),
      route(
        "POST",
        "/small",
        v1(async (context) => await context.readBody(10) === undefined ? "too big" : "read"),
      ),
      route("POST", "/sum", v1(async (context) => sum(await context.readBody(100_000_000)))),
    ],
  });
}

function sum(bytes: Uint8Array | undefined): string {
  return `${bytes?.length} ${bytes?.reduce((total, byte) => (total * 31 + byte) % 1_000_003, 0)}`;
}

const ADMISSION: readonly [
  clientAuth: TlsServerOptions["clientAuth"],
  own: "client" | "stranger" | undefined,
  admitted: boolean,
  reason: string | undefined,
][] = [
  ["none", undefined, true, undefined],
  ["none", "stranger", true, undefined],
  ["require", undefined, false, "tls: client didn't provide a certificate"],
  ["require", "client", true, undefined],
  ["require", "stranger", true, undefined],
  ["require-verify", undefined, false, "tls: client didn't provide a certificate"],
  ["require-verify", "client", true, undefined],
  [
    "require-verify",
    "stranger",
    false,
    "tls: failed to verify certificate: x509: certificate signed by unknown authority",
  ],
];

for (const [clientAuth, own, admitted, reason] of ADMISSION) {
  const title = `${admitted ? "admits" : "refuses"} a client with ${own ? `a ${own}'s` : "no"} certificate`;
  certificateTest(`serveHttps() ${title} for "${clientAuth}"`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions: { clientAuth } });

    const answer = await server.fetch("/ping", {}, own && certificates[own]).catch(() => "refused");

    assertEquals(answer, admitted ? [200, "OK"] : "refused");
    const refusal = /^WARNING: HTTPS: TLS handshake error from 127\.0\.0\.1:\d+ - (.*)$/;
    assertEquals(server.lines.flatMap((line) => refusal.exec(line)?.[1] ?? [])[0], reason);
  });
}

certificateTest("serveHttps() verifies against no authority when it is given none", async (certificates) => {
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
  certificateTest(
    `serveHttps() ${title} from ${minVersion} on with "${clientAuth}"`,
    async (certificates) => {
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
    },
  );
}

certificateTest(
  "serveHttps() serves with a certificate of X.509's version 1",
  async ({ ca, oldServer, ...rest }) => {
    const conditions = { cert: oldServer.cert, key: oldServer.key };
    await using server = new TestServer({ ca, oldServer, ...rest }, { conditions });
    const { promise, resolve, reject } = Promise.withResolvers<string>();

    // The one client of this runtime that can be told not to look at the certificate.
    const socket = connect({ host: "localhost", port: server.port, rejectUnauthorized: false }, () => {
      socket.write("GET /ping HTTP/1.0\r\n\r\n");
    });
    socket.once("error", reject);
    socket.once("data", (bytes) => resolve(bytes.toString()));

    assertMatch(await promise, /^HTTP\/1\.\d 200 OK\r\n/);
    socket.destroy();
  },
);

certificateTest(
  "serveHttps() asks for the body of a client that waits only to read it",
  async (certificates) => {
    await using server = new TestServer(certificates, { conditions: { clientAuth: "require" } });
    using reading = await server.connect();
    using refusing = await server.connect();
    const head = "HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length:";

    await reading.send(`POST /small ${head} 5\r\n\r\n`);
    const go = await reading.head();
    await reading.send("hello");
    const read = await reading.response();
    await refusing.send(`POST /small ${head} 50\r\n\r\n`);
    const refused = await refusing.response();

    assertEquals([go, read, refused], [
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 200 OK read",
      "HTTP/1.1 200 OK too big",
    ]);
  },
);

certificateTest(
  "HttpServer.close() ends a connection that has not said anything yet",
  async (certificates) => {
    const { server } = new TestServer(certificates, { conditions: { clientAuth: "require" } });
    using silent = await RawHttpClient.to(server);

    await server.close({ graceMs: GRACE_MS });

    assert(await silent.ended());
  },
);

for (const [kind, conditions] of KINDS) {
  certificateTest(`serveHttps() ${kind} logs where it listens, and when it closes`, async (certificates) => {
    const { server, lines } = new TestServer(certificates, { conditions });

    await server.close({ graceMs: GRACE_MS });

    assertEquals(lines, [
      `INFO: HTTPS: listening on 127.0.0.1:${server.port}`,
      `INFO: HTTPS: closing 127.0.0.1:${server.port}`,
    ]);
    assertEquals(server.address, `127.0.0.1:${server.port}`);
  });

  certificateTest(
    `serveHttps() ${kind} throws with address and cause for a taken port`,
    async (certificates) => {
      await using server = new TestServer(certificates, { conditions });
      const { port } = server;

      const error = assertThrows(
        () => new TestServer(certificates, { conditions, port }),
        Error,
        `Cannot listen on 127.0.0.1:${port}: `,
      );

      assert(error.cause instanceof Deno.errors.AddrInUse);
    },
  );

  certificateTest(`serveHttps() ${kind} tells handlers the client's address`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions });

    const [, text] = await server.fetch("/peer", {}, certificates.client);

    assertMatch(text, /^127\.0\.0\.1:\d+$/);
  });

  certificateTest(
    `serveHttps() ${kind} leaves the target of a request as it was sent`,
    async (certificates) => {
      const urls: string[] = [];
      await using server = new TestServer(certificates, {
        conditions,
        handler: ({ url }) => {
          urls.push(url.replace(/^https:\/\/[^/]*/, ""));
          return Promise.resolve(new Response());
        },
      });
      using client = await server.connect();

      for (const target of ["/a/../b//c/?x=%zz", "https://other/ping?a", "*"]) {
        await client.send(`OPTIONS ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        await client.response();
      }

      assertEquals(urls, ["/a/../b//c/?x=%zz", "/ping?a", "/*"]);
    },
  );

  certificateTest(`serveHttps() ${kind} sends a large response whole`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions });

    const [, text] = await server.fetch("/large", {}, certificates.client);

    assertEquals(text.length, 5_000_000);
  });

  certificateTest(`serveHttps() ${kind} sends no body in answer to HEAD`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions });
    using client = await server.connect();

    await client.send(
      "HEAD /ping HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    const head = await client.head();
    const next = await client.response();

    assertMatch(head, /^HTTP\/1\.1 405 /);
    assertEquals(next, "HTTP/1.1 200 OK OK");
  });

  certificateTest(`serveHttps() ${kind} reads a large body whole`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions });
    const body = new Uint8Array(3_000_000).map((_, i) => i % 251);

    const announced = await server.fetch("/sum", { method: "POST", body }, certificates.client);
    const chunked = await server.fetch(
      "/sum",
      { method: "POST", body: ReadableStream.from([body.subarray(0, 7), body.subarray(7)]) },
      certificates.client,
    );

    assertEquals([announced, chunked], [[200, sum(body)], [200, sum(body)]]);
  });

  certificateTest(`serveHttps() ${kind} refuses a chunked body that is too big`, async (certificates) => {
    await using server = new TestServer(certificates, { conditions });
    const post = async (...parts: string[]) => {
      const body = ReadableStream.from(parts.map((part) => new TextEncoder().encode(part)));
      return (await server.fetch("/small", { method: "POST", body }, certificates.client))[1];
    };

    assertEquals(await post("ten", " bytes."), "read");
    assertEquals(await post("eleven", " bytes"), "too big");
  });

  certificateTest(
    `serveHttps() ${kind} keeps a connection alive after an unread body`,
    async (certificates) => {
      await using server = new TestServer(certificates, { conditions });
      using client = await server.connect();

      await client.send("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
      await client.send("hello");
      const first = await client.response();
      await client.send(
        `POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`,
      );
      const second = await client.response();
      await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
      const third = await client.response();

      assertEquals([first, second, third], [
        "HTTP/1.1 200 OK unread",
        "HTTP/1.1 200 OK too big",
        "HTTP/1.1 200 OK OK",
      ]);
    },
  );

  certificateTest(
    `serveHttps() ${kind} ends a connection of a stranger that sends much`,
    async (certificates) => {
      await using server = new TestServer(certificates, { conditions, trusting: false });

      for (
        const length of [
          "Content-Length: 99999999999\r\n\r\n",
          "Transfer-Encoding: chunked\r\n\r\n7FFFFFFF\r\n",
        ]
      ) {
        using client = await server.connect();
        await client.send(`POST /unread HTTP/1.1\r\nHost: h\r\n${length}${"x".repeat(300_000)}`);
        const answer = await client.response();

        assertEquals(answer, "HTTP/1.1 200 OK unread");
        assert(await client.ended());
      }
    },
  );

  certificateTest(
    `serveHttps() ${kind} keeps a stranger's connection after a little`,
    async (certificates) => {
      await using server = new TestServer(certificates, { conditions, trusting: false });
      using client = await server.connect();

      await client.send(
        `POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`,
      );
      const first = await client.response();
      await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
      const second = await client.response();

      assertEquals([first, second], ["HTTP/1.1 200 OK unread", "HTTP/1.1 200 OK OK"]);
    },
  );

  certificateTest(
    `serveHttps() ${kind} survives what is no TLS, and what is no HTTP`,
    async (certificates) => {
      await using server = new TestServer(certificates, { conditions });
      using plain = await RawHttpClient.to(server);
      using garbage = await server.connect();

      await plain.send("GET /ping HTTP/1.0\r\n\r\n");
      await garbage.send("NOT HTTP AT ALL\r\n\r\n");
      const refusal = await garbage.head();
      const after = await server.fetch("/ping", {}, certificates.client);

      assertMatch(refusal, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert(await garbage.ended());
      assertEquals(after, [200, "OK"]);
    },
  );

  certificateTest(`serveHttps() ${kind} tells handlers that the client has gone`, async (certificates) => {
    const entered = Promise.withResolvers<AbortSignal>();
    await using server = new TestServer(certificates, {
      conditions,
      handler: async ({ signal }) => {
        entered.resolve(signal);
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        return new Response();
      },
    });

    {
      using client = await server.connect();
      await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      await entered.promise;
    }

    assert(await eventually("the signal", async () => (await entered.promise).aborted));
  });

  certificateTest(
    `serveHttps() ${kind} survives a client that goes in the middle of its body`,
    async (certificates) => {
      const failed = Promise.withResolvers<string>();
      await using server = new TestServer(certificates, {
        conditions,
        handler: async (request) => {
          if (request.method === "GET") return new Response("OK");
          await request.bytes().catch((error) => failed.resolve(error.name));
          return new Response();
        },
      });

      {
        using client = await server.connect();
        await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello");
      }

      assert(await failed.promise);
      assertEquals(await server.fetch("/", {}, certificates.client), [200, "OK"]);
    },
  );

  certificateTest(
    `HttpServer.close() ${kind} lets a request finish and refuses new ones`,
    async (certificates) => {
      const entered = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      await using server = new TestServer(certificates, {
        conditions,
        handler: async () => {
          entered.resolve();
          await release.promise;
          return new Response("finished");
        },
      });
      const slow = server.fetch("/", {}, certificates.client);
      await entered.promise;

      const closed = server.server.close({ graceMs: GRACE_MS });
      const late = await server.fetch("/", {}, certificates.client);
      release.resolve();

      assertEquals(late, [503, ""]);
      assertEquals(await slow, [200, "finished"]);
      await closed;
    },
  );

  certificateTest(
    `HttpServer.close() ${kind} ends idle connections and frees the port`,
    async (certificates) => {
      const server = new TestServer(certificates, { conditions });
      using idle = await server.connect();
      await idle.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
      await idle.response();

      await server.server.close({ graceMs: GRACE_MS });

      assert(await idle.ended());
      await using again = new TestServer(certificates, { conditions, port: server.port });
      assertEquals(again.port, server.port);
    },
  );

  certificateTest(
    `HttpServer.close() ${kind} cuts off a request that does not finish`,
    async (certificates) => {
      const entered = Promise.withResolvers<void>();
      const server = new TestServer(certificates, {
        conditions,
        handler: () => {
          entered.resolve();
          return new Promise(() => {});
        },
      });
      using client = await server.connect();
      await client.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n");
      await entered.promise;

      await server.server.close({ graceMs: 20 });

      assert(await client.ended());
      await server.server.finished;
      assertEquals(server.lines.at(-1), "WARNING: HTTPS: cut off 1 requests after 20ms");
    },
  );
}
