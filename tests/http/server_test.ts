import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Answer, HeaderBlock } from "../../src/http/answer.ts";
import type { Address } from "../../src/config/address.ts";
import type { HttpRequest } from "../../src/http/http_request.ts";
import { eventually } from "../support/eventually.ts";
import { READ_SIZE_MAX, sum, TestHttpServer, WAYS } from "../support/http_server.ts";
import { freePort } from "../support/ports.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import { Variables } from "../support/variables.ts";

const PING = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";
const NO_HEADERS = new HeaderBlock([]);

/** A handler that waits, and when it is entered. */
function gate() {
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const handler = async () => {
    entered.resolve();
    await release.promise;
    return new Answer(200, NO_HEADERS, "finished");
  };
  return { entered: entered.promise, release: release.resolve, handler };
}

/** A stream that the test fills, and when nobody wants more of it. */
function byteStream() {
  const cancelled = Promise.withResolvers<void>();
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (made) => void (controller = made),
    cancel: () => cancelled.resolve(),
  });
  if (controller === undefined) throw new Error("A stream begins at once");
  return { stream, controller, cancelled: cancelled.promise };
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [name, serve] of WAYS) {
  Deno.test(`${name} serves on the port that it tells`, async () => {
    await using server = new TestHttpServer({ serve });

    const response = await fetch(`${server.url}/ping`);

    assertEquals(await response.text(), "OK");
    assertEquals(server.server.address, `127.0.0.1:${server.port}`);
  });

  Deno.test(`${name} logs where it listens, and when it closes`, async () => {
    const server = new TestHttpServer({ serve });

    await server.close();

    assertEquals(server.lines, [
      `INFO: HTTP: listening on ${server.server.address}`,
      `INFO: HTTP: closing ${server.server.address}`,
    ]);
  });

  Deno.test(`${name} sends a stream as it comes, and takes the next request behind it`, async () => {
    const { stream, controller } = byteStream();
    let count = 0;
    const handler = () => Promise.resolve(new Answer(200, NO_HEADERS, count++ === 0 ? stream : "next"));
    await using server = new TestHttpServer({ serve, handler });
    using client = await RawHttpClient.to(server);
    await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const head = await client.head();
    controller.enqueue(new TextEncoder().encode("first"));
    controller.enqueue(new TextEncoder().encode("second"));
    controller.close();
    await client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const rest = await client.rest();

    assertMatch(head, /^transfer-encoding: chunked\r$/im);
    assertMatch(rest, /first(\r\n6\r\n)?second\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nnext$/);
  });

  Deno.test(`${name} asks a stream for no more whose client has gone`, async () => {
    const { stream, controller, cancelled } = byteStream();
    await using server = new TestHttpServer({
      serve,
      handler: () => Promise.resolve(new Answer(200, NO_HEADERS, stream)),
    });
    const client = await RawHttpClient.to(server);
    await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.head();
    controller.enqueue(new TextEncoder().encode("first"));
    client.close();

    await cancelled;
  });

  Deno.test(`${name} asks a stream for nothing whose client has gone before it began`, async () => {
    const { stream, cancelled } = byteStream();
    const { entered, release, handler: wait } = gate();
    const handler = async () => {
      await wait();
      return new Answer(200, NO_HEADERS, stream);
    };
    await using server = new TestHttpServer({ serve, handler });
    const client = await RawHttpClient.to(server);
    await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await entered;
    client.close();
    release();

    await cancelled;
  });

  Deno.test(`${name} serves on a unix socket, whose file goes with it`, async () => {
    await withFolder(async (folder) => {
      const path = `${folder}/http.sock`;
      const server = new TestHttpServer({ serve, address: { kind: "unix", path } });

      using client = new RawHttpClient(await Deno.connect({ transport: "unix", path }));
      await client.send("GET /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
      const text = await client.rest();
      await server.close();

      assertMatch(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/);
      assertEquals([server.server.address, server.server.port], [path, undefined]);
      assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
    });
  });

  Deno.test(`${name} throws an error with address and cause when the port is taken`, async () => {
    await using server = new TestHttpServer({ serve });
    const address: Address = { kind: "tcp", hostname: "127.0.0.1", port: server.port };
    const text = `Cannot listen on 127.0.0.1:${server.port}: `;

    const error = assertThrows(() => new TestHttpServer({ serve, address }), Error, text);

    assert(error.cause instanceof Deno.errors.AddrInUse);
  });

  Deno.test(`${name} tells handlers the client, and the target as it was sent`, async () => {
    await using server = new TestHttpServer({ serve });
    using client = await server.connect();

    await client.send("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
    const peer = await client.response();
    await client.send("GET /target?a=%zz&b=%2F// HTTP/1.1\r\nHost: h\r\n\r\n");
    const target = await client.response();

    assertMatch(peer, /^HTTP\/1\.1 200 OK 127\.0\.0\.1:\d+$/);
    assertEquals(target, "HTTP/1.1 200 OK /target?a=%zz&b=%2F//");
  });

  Deno.test(`${name} takes nothing of a Host header for a part of the path`, async () => {
    await using server = new TestHttpServer({ serve });
    const answers: string[] = [];
    for (const host of ["a/target?x=", "http://a/target?x=", "a/target#", "a@b/target?"]) {
      using client = await server.connect();
      await client.send(`GET /ping HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      answers.push((await client.rest()).split("\r\n")[0]);
    }

    assertEquals(answers.map((answer) => answer.slice(0, 12)), Array(4).fill("HTTP/1.1 400"));
  });

  for (const size of [0, 1, 5000, 65_536, 65_537, READ_SIZE_MAX]) {
    for (const way of ["announced", "in chunks"]) {
      Deno.test(`${name} reads a body of ${size} bytes ${way}`, async () => {
        await using server = new TestHttpServer({ serve });
        const bytes = Uint8Array.from({ length: size }, (_, i) => i * 7);
        const body = way === "announced" ? bytes : new Blob([bytes]).stream();

        const response = await fetch(`${server.url}/read`, { method: "POST", body });

        assertEquals(await response.text(), sum(bytes));
      });
    }
  }

  for (const way of ["announced", "in chunks"]) {
    Deno.test(`${name} refuses a body that is ${way} and a byte too long`, async () => {
      await using server = new TestHttpServer({ serve });
      const bytes = new Uint8Array(READ_SIZE_MAX + 1);
      const body = way === "announced" ? bytes : new Blob([bytes]).stream();

      const response = await fetch(`${server.url}/read`, { method: "POST", body });

      assertEquals(await response.text(), "too big");
    });
  }

  Deno.test(`${name} answers at once where a body is announced as too long`, async () => {
    await using server = new TestHttpServer({ serve });
    using client = await server.connect();

    await client.send("POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");

    assertEquals(await client.response(), "HTTP/1.1 200 OK too big");
  });

  Deno.test(`${name} refuses lengths that are none, or that differ`, async () => {
    await using server = new TestHttpServer({ serve });
    const statuses: string[] = [];
    for (const lengths of ["+5", "-1", "0x5", "5, 5", "5\r\nContent-Length: 6", "99999999999999999999999"]) {
      using client = await server.connect();
      await client.send(`POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: ${lengths}\r\n\r\nhello`);
      statuses.push((await client.head()).slice(9, 12));
    }

    assertEquals(statuses.filter((status) => status === "200"), []);
  });

  Deno.test(`${name} lets bodies take no more memory than they may together`, async () => {
    await using server = new TestHttpServer({ serve, bodiesSizeMax: 200_000 });
    const post = async (size: number) => {
      const body = new Blob([new Uint8Array(size)]).stream();
      const response = await fetch(`${server.url}/read`, { method: "POST", body });
      return `${response.status} ${await response.text()} ${response.headers.get("retry-after")}`;
    };

    assertEquals(await post(300_000), '503 {"message":"TOO_MANY_BODIES"} 1');
    assertEquals(await post(50_000), `200 ${sum(new Uint8Array(50_000))} null`);
    await eventually("memory given back", () => server.budget.size === 0 || undefined);
  });

  Deno.test(`${name} keeps a connection over requests, bodies that no handler reads included`, async () => {
    await using server = new TestHttpServer({ serve });
    using client = await server.connect();

    await client.send("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    await client.send("hello");
    const first = await client.response();
    await client.send(PING);
    const second = await client.response();

    assertEquals([first, second], ["HTTP/1.1 200 OK unread", "HTTP/1.1 200 OK OK"]);
  });

  Deno.test(`${name} answers requests that are sent together in their order`, async () => {
    await using server = new TestHttpServer({ serve });
    using client = await server.connect();

    await client.send(
      PING + "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" +
        "GET /unicode HTTP/1.1\r\nHost: h\r\n\r\n" + PING,
    );

    const read = sum(new TextEncoder().encode("hello"));
    assertEquals(await client.response(), "HTTP/1.1 200 OK OK");
    assertEquals(await client.response(), `HTTP/1.1 200 OK ${read}`);
    assertMatch(await client.head(), /content-length: 12\r\n/i);
  });

  Deno.test(`${name} sends text of any length`, async () => {
    await using server = new TestHttpServer({ serve });

    const large = await (await fetch(`${server.url}/large`)).text();
    const unicode = await (await fetch(`${server.url}/unicode`)).text();

    assertEquals([large.length, unicode], [5_000_000, "größer ☃"]);
  });

  Deno.test(`${name} sends all pieces of a long answer, and answers the next request behind them`, async () => {
    await using server = new TestHttpServer({ serve });
    const list = Array.from({ length: 100_000 }, (_, i) => `${i} ☃`);

    const pieces = await (await fetch(`${server.url}/pieces`)).json();

    assertEquals(pieces, list);
    assertEquals(await (await fetch(`${server.url}/ping`)).text(), "OK");
  });

  Deno.test(`${name} tells a handler that its client has gone`, async () => {
    const gone = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    await using server = new TestHttpServer({
      serve,
      async handler({ signal }: HttpRequest) {
        signal.addEventListener("abort", () => gone.resolve());
        entered.resolve();
        await gone.promise;
        return new Answer(200, NO_HEADERS);
      },
    });
    using client = await server.connect();
    await client.send(PING);
    await entered.promise;

    client.close();

    await gone.promise;
  });

  Deno.test(`${name} answers 500 where a handler fails, and goes on`, async () => {
    let calls = 0;
    await using server = new TestHttpServer({
      serve,
      handler: () =>
        calls++ === 0
          ? Promise.reject(new Error("boom"))
          : Promise.resolve(new Answer(200, NO_HEADERS, "OK")),
    });

    const first = await fetch(server.url);
    await first.body?.cancel();
    const second = await fetch(server.url);

    assertEquals([first.status, await second.text()], [500, "OK"]);
    assertEquals(server.lines.at(-1), "ERROR: HTTP: failed to respond - boom");
  });

  Deno.test(`${name} goes on when a client cuts off its body`, async () => {
    await using server = new TestHttpServer({ serve });
    for (
      const start of ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
    ) {
      using client = await server.connect();
      await client.send(`POST /read HTTP/1.1\r\nHost: h\r\n${start}`);
      client.close();
    }

    assertEquals(await (await fetch(`${server.url}/ping`)).text(), "OK");
    await eventually("memory given back", () => server.budget.size === 0 || undefined);
  });

  Deno.test(`HttpServer.close() of ${name} lets a request finish`, async () => {
    const { entered, release, handler } = gate();
    const server = new TestHttpServer({ serve, handler });
    const slow = fetch(server.url);
    await entered;

    const closed = server.close();
    release();

    assertEquals(await (await slow).text(), "finished");
    await closed;
    await server.server.finished;
  });

  Deno.test(`HttpServer.close() of ${name} ends idle connections and frees the port`, async () => {
    const address: Address = { kind: "tcp", hostname: "127.0.0.1", port: freePort() };
    const server = new TestHttpServer({ serve, address });
    using client = await server.connect();
    await client.send(PING);
    await client.response();

    await server.close();

    assert(await client.ended());
    await new TestHttpServer({ serve, address }).close();
  });

  Deno.test(`HttpServer.close() of ${name} cuts off a request that does not finish in time`, async () => {
    const { entered, release, handler } = gate();
    const server = new TestHttpServer({ serve, handler });
    using client = await server.connect();
    await client.send(PING);
    await entered;

    await server.close(20);

    assert(await client.ended());
    await server.server.finished;
    assertEquals(server.lines.at(-1), "WARNING: HTTP: cut off 1 requests after 20ms");
    release();
  });

  Deno.test(`HttpServer.close() of ${name} cuts off a client that does not send its body`, async () => {
    const entered = Promise.withResolvers<void>();
    const server = new TestHttpServer({
      serve,
      async handler({ body }) {
        entered.resolve();
        await body.read(1000);
        return new Answer(200, NO_HEADERS);
      },
    });
    using client = await server.connect();
    await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello");
    await entered.promise;

    await server.close(20);

    assert(await client.ended());
    await server.server.finished;
  });
}

// Such as is no harm to the servers of tests that run in this process at the same time.
const PLATFORM_ADDRESS = "tcp:127.0.0.1:0";

Deno.test("serveHttp() is not moved by the environment", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/http.sock`;
    Deno.env.set("DENO_SERVE_ADDRESS", PLATFORM_ADDRESS);
    try {
      await using server = new TestHttpServer({ address: { kind: "unix", path } });
      using client = new RawHttpClient(await Deno.connect({ transport: "unix", path }));
      await client.send(PING);

      assertEquals([server.server.address, await client.response()], [path, "HTTP/1.1 200 OK OK"]);
    } finally {
      Deno.env.delete("DENO_SERVE_ADDRESS");
    }
  });
});

Deno.test("serveHttp() serves where the platform leads its traffic on Deno Deploy", async () => {
  using _platform = new Variables({ DENO_DEPLOY: "1" });
  Deno.env.set("DENO_SERVE_ADDRESS", PLATFORM_ADDRESS);
  try {
    await using server = new TestHttpServer({ address: { kind: "tcp", hostname: "127.0.0.9", port: 0 } });

    assertMatch(server.server.address, /^127\.0\.0\.1:\d+$/);
    assertEquals(await (await fetch(`${server.url}/ping`)).text(), "OK");
  } finally {
    Deno.env.delete("DENO_SERVE_ADDRESS");
  }
});

Deno.test("serveWithRuntime() answers 503 to new requests while others finish", async () => {
  const { entered, release, handler } = gate();
  const [, [, serve]] = WAYS;
  const server = new TestHttpServer({ serve, handler });
  const slow = fetch(server.url);
  await entered;

  const closed = server.close();
  const late = await fetch(server.url);
  release();

  assertEquals([late.status, await late.text()], [503, ""]);
  assertEquals(await (await slow).text(), "finished");
  await closed;
});

Deno.test("serveWithRuntime() listens again when the runtime's loop has ended", async () => {
  const [, [, serve]] = WAYS;
  const serveReal = Deno.serve;
  const broken = Promise.withResolvers<never>();
  try {
    // Running out of files for real would end the test as well.
    Deno.serve = ((...args: Parameters<typeof Deno.serve>) => {
      Deno.serve = serveReal;
      const real = serveReal(...args);
      const finished = Promise.race([broken.promise, real.finished]);
      void finished.catch(() => void real.shutdown());
      return { addr: real.addr, finished };
    }) as unknown as typeof Deno.serve;
    await using server = new TestHttpServer({ serve });

    broken.reject(new Error("Too many open files"));
    await eventually("answer", async () => {
      try {
        return await (await fetch(`${server.url}/ping`)).text() === "OK" && server.lines.length > 1 ||
          undefined;
      } catch (error) {
        if (error instanceof TypeError) return undefined;
        throw error;
      }
    });

    assertEquals(server.lines.at(1), "WARNING: HTTP: temporary Accept() failure - Too many open files");
  } finally {
    Deno.serve = serveReal;
  }
});
