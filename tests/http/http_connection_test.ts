import { assert, assertEquals, assertMatch } from "@std/assert";
import { FairShare } from "../../src/base/fair_share.ts";
import { Answer, HeaderBlock } from "../../src/http/answer.ts";
import { BodyBudget } from "../../src/http/body_budget.ts";
import { FIELDS_MAX, HEAD_SIZE_MAX } from "../../src/http/head.ts";
import { HttpConnection, type HttpTimeouts } from "../../src/http/http_connection.ts";
import { HttpError } from "../../src/http/http_error.ts";
import type { HttpRequest } from "../../src/http/http_request.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { sum } from "../support/http_server.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { settle } from "../support/settle.ts";

const PING = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";
const TIMEOUTS: HttpTimeouts = {
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 20_000,
  idleTimeoutMs: 30_000,
  writeTimeoutMs: 40_000,
};
const NO_TIMEOUTS: HttpTimeouts = {
  headerTimeoutMs: 0,
  bodyTimeoutMs: 0,
  idleTimeoutMs: 0,
  writeTimeoutMs: 0,
};
const NO_HEADERS = new HeaderBlock([]);
/** Largest body that the handler reads, in bytes. */
const BODY_SIZE_MAX = 1_000_000;
/** Much less than any of the times. */
const SOON_MS = 1000;

interface Setup {
  readonly timeouts?: HttpTimeouts;
  readonly handler?: (request: HttpRequest) => Promise<Answer>;
  readonly bodiesSizeMax?: number;
}

/** A connection that is served, whose other end is the test. */
class Client {
  readonly connection = new MemoryConnection("127.0.0.1:5000");
  readonly budget: BodyBudget;
  readonly faults: string[] = [];
  /** What the client has done wrong. */
  readonly errors: string[] = [];
  /** Settles when the connection has ended. */
  readonly done: Promise<void>;
  isClosing = false;
  readonly #served: HttpConnection;
  #nowMs = 0;

  constructor({ timeouts = NO_TIMEOUTS, handler = answer, bodiesSizeMax = 0 }: Setup = {}) {
    this.budget = new BodyBudget(bodiesSizeMax);
    this.#served = new HttpConnection(this.connection, {
      handler,
      timeouts,
      clock: { monotonicMs: () => this.#nowMs },
      budget: this.budget,
      share: new FairShare(() => 0, () => Promise.resolve()),
      onFault: (text) => this.faults.push(text),
      onError: (code, address, text) => this.errors.push(`${code} ${address} ${text}`),
      isClosing: () => this.isClosing,
    });
    this.done = this.#served.run();
  }

  get closed(): boolean {
    return this.connection.closed;
  }

  /** Sends it, and takes the answers that come. */
  async ask(...parts: readonly (string | Uint8Array)[]): Promise<string> {
    await settle();
    for (const part of parts) {
      this.connection.push(bytesOf(part));
      await settle();
    }
    return this.received();
  }

  /** What has come since the last time, without dates. */
  received(): string {
    const text = textOf(join(...this.connection.written.splice(0)));
    return text.replace(/Date: [^\r]*/g, "Date: #");
  }

  /** That much time passes. */
  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    this.#served.checkTime();
    await settle();
  }

  /** The client goes, and everything must be given back. */
  async end(): Promise<void> {
    this.connection.end();
    this.connection.close();
    await this.done;
    assertEquals(this.budget.size, 0);
  }
}

/** Reads what is posted, but to `/unread`. */
async function answer({ method, target, body }: HttpRequest): Promise<Answer> {
  if (method !== "POST" || target === "/unread") return new Answer(200, NO_HEADERS, target);
  try {
    return new Answer(200, NO_HEADERS, sum(await body.read(BODY_SIZE_MAX)));
  } catch (error) {
    if (error instanceof HttpError) return new Answer(error.status, NO_HEADERS, error.message);
    throw error;
  }
}

/** An answer that keeps the connection. */
function ok(text: string): string {
  return `HTTP/1.1 200 OK\r\nDate: #\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

/** The last answer. */
function last(text: string): string {
  return `HTTP/1.1 200 OK\r\nDate: #\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`;
}

function post(target: string, ...fields: readonly string[]): string {
  return `POST ${target} HTTP/1.1\r\nHost: h\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
}

function connectionTest(name: string, test: (client: Client) => Promise<void>, setup: Setup = {}): void {
  Deno.test(name, async () => {
    const client = new Client(setup);
    try {
      await test(client);
    } finally {
      await client.end();
    }
  });
}

connectionTest("HttpConnection answers in one write, and keeps the connection", async (client) => {
  client.connection.push(bytesOf(PING));
  await settle();

  assertEquals(client.connection.written.length, 1);
  assertEquals([client.received(), await client.ask(PING)], [ok("/ping"), ok("/ping")]);
});

connectionTest("HttpConnection answers requests in their order, however they come", async (client) => {
  const chunks = "5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
  const requests = PING + post("/read", "Content-Length: 5") + "hello" +
    post("/read", "Transfer-Encoding: chunked") + chunks + post("/unread", "Content-Length: 5") + "hello" +
    PING;
  const answers = ok("/ping") + ok(sum(bytesOf("hello"))) + ok(sum(bytesOf("hello!"))) + ok("/unread") +
    ok("/ping");

  assertEquals(await client.ask(requests), answers);
  assertEquals(
    await client.ask(...bytesOf(requests).slice().values().map((byte) => Uint8Array.of(byte))),
    answers,
  );
});

connectionTest("HttpConnection passes over line ends behind a body, up to four bytes", async (client) => {
  const request = `${post("/read", "Content-Length: 1")}x`;

  assertEquals(await client.ask(`${request}\r\n\r\n${PING}`), ok(sum(bytesOf("x"))) + ok("/ping"));
});

for (
  const [name, head, isLast] of [
    ["Connection: close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", last("/")],
    ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", last("/").replace("1.1", "1.0")],
  ] as const
) {
  connectionTest(`HttpConnection ends after ${name}`, async (client) => {
    const text = await client.ask(head);
    await client.done;

    assertEquals(text, isLast);
    assert(client.closed);
  });
}

connectionTest("HttpConnection tells HTTP/1.0 that it is kept", async (client) => {
  const text = await client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");

  assertMatch(text, /^HTTP\/1\.0 200 OK\r\n[^]*\r\nConnection: keep-alive\r\n\r\n\/$/);
  assert(!client.closed);
});

connectionTest("HttpConnection sends no body in answer to HEAD", async (client) => {
  assertEquals(
    await client.ask(PING.replace("GET", "HEAD") + PING),
    ok("/ping").replace(/\/ping$/, "") + ok("/ping"),
  );
});

connectionTest("HttpConnection answers OPTIONS * by itself, as Go does", async (client) => {
  assertEquals(await client.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), ok(""));
});

connectionTest("HttpConnection asks for the body of a client that waits, once", async (client) => {
  const asked = await client.ask(post("/read", "Expect: 100-continue", "Content-Length: 5"));
  const read = await client.ask("he", "llo");

  assertEquals([asked, read], ["HTTP/1.1 100 Continue\r\n\r\n", ok(sum(bytesOf("hello")))]);
});

connectionTest("HttpConnection asks for no body that is there already", async (client) => {
  const text = await client.ask(`${post("/read", "Expect: 100-continue", "Content-Length: 5")}hello`);

  assertEquals(text, ok(sum(bytesOf("hello"))));
});

connectionTest("HttpConnection ends when a client waits whose body nobody wants", async (client) => {
  const text = await client.ask(post("/unread", "Expect: 100-continue", "Content-Length: 5"));

  assertEquals(text, last("/unread"));
});

for (
  const [name, fields, body] of [
    ["announced", "Content-Length: 262145", "x".repeat(1000)],
    ["in chunks", "Transfer-Encoding: chunked", `50000\r\n${"x".repeat(300_000)}`],
  ] as const
) {
  connectionTest(
    `HttpConnection ends after an unread body that is ${name} and may not end soon`,
    async (client) => {
      const text = await client.ask(post("/unread", fields) + body);
      const after = await client.ask(PING);

      assertEquals([text, after], [last("/unread"), ""]);
      client.connection.end();
      await client.done;
    },
  );
}

connectionTest(
  "HttpConnection keeps a connection whose unread body is no longer than 256 KiB",
  async (client) => {
    const first = await client.ask(post("/unread", "Content-Length: 262144"));
    const second = await client.ask(new Uint8Array(262_144), PING);

    assertEquals([first, second], [ok("/unread"), ok("/ping")]);
  },
);

connectionTest("HttpConnection answers at once where a body is announced as too long", async (client) => {
  const text = await client.ask(post("/read", `Content-Length: ${BODY_SIZE_MAX + 1}`));

  assertEquals([text, client.budget.size], [
    ok("too big").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    0,
  ]);
});

connectionTest("HttpConnection counts a body in chunks, and stops at the limit", async (client) => {
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;

  const text = await client.ask(
    post("/read", "Transfer-Encoding: chunked"),
    ...Array<string>(16).fill(chunk),
  );

  assertEquals(text, last("too big"));
});

const REFUSED: readonly (readonly [name: string, sent: string, answer: RegExp])[] = [
  ["no HTTP", "NOT HTTP AT ALL\r\n\r\n", /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\n400 Bad Request$/],
  [
    "a Host that is none",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    /^HTTP\/1\.1 400 Bad Request: malformed Host header\r\n[^]*\r\n\r\n400 Bad Request: malformed Host header$/,
  ],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /^HTTP\/1\.1 505 HTTP Version Not Supported: unsupported /],
  [
    "an encoding that is unknown",
    post("/", "Transfer-Encoding: gzip"),
    /^HTTP\/1\.1 501 Not Implemented\r\n/,
  ],
  ["an expectation that is unknown", post("/", "Expect: x"), /^HTTP\/1\.1 417 Expectation Failed\r\n/],
  [
    "a head with too many fields",
    `GET / HTTP/1.1\r\n${"X: y\r\n".repeat(FIELDS_MAX + 1)}\r\n`,
    /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/,
  ],
  [
    "a head that is too long",
    `GET / HTTP/1.1\r\nX: ${"y".repeat(HEAD_SIZE_MAX)}`,
    /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/,
  ],
];

for (const [name, sent, expected] of REFUSED) {
  connectionTest(`HttpConnection refuses ${name}, and ends`, async (client) => {
    const text = await client.ask(sent + PING);
    client.connection.end();
    await client.done;

    assertMatch(text, expected);
    assertMatch(text, /\r\nConnection: close\r\n/);
    assertEquals(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assertEquals(client.faults, []);
  });
}

connectionTest("HttpConnection takes a head of nearly a MiB, and gives its memory back", async (client) => {
  const value = "y".repeat(1_000_000);

  const text = await client.ask(`GET /ping HTTP/1.1\r\nHost: h\r\nX: ${value}\r\n\r\n`);

  assertEquals([text, client.budget.size], [ok("/ping"), 0]);
});

connectionTest("HttpConnection answers 503 where heads take too much memory", async (client) => {
  const text = await client.ask(`GET / HTTP/1.1\r\nHost: h\r\nX: ${"y".repeat(100_000)}\r\n\r\n`);

  assertMatch(text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
}, { bodiesSizeMax: 65_536 });

connectionTest("HttpConnection answers 500 to chunks that are none, and ends", async (client) => {
  const text = await client.ask(`${post("/read", "Transfer-Encoding: chunked")}zz\r\n`);

  assertMatch(text, /^HTTP\/1\.1 500 Internal Server Error\r\n[^]*Connection: close\r\n\r\nINTERNAL_ERROR$/);
});

connectionTest("HttpConnection reports a handler that fails, and answers 500", async (client) => {
  const text = await client.ask(PING);

  assertEquals(text, "HTTP/1.1 500 Internal Server Error\r\nDate: #\r\nContent-Length: 0\r\n\r\n");
  assertEquals(client.faults, ["failed to respond - boom"]);
}, { handler: () => Promise.reject(new Error("boom")) });

connectionTest("HttpConnection ends after the answer when the server closes", async (client) => {
  client.isClosing = true;

  assertEquals(await client.ask(PING), last("/ping"));
  await client.done;
});

Deno.test("HttpConnection leaves the body in place while it listens for the client's end", async () => {
  const bodies: string[] = [];
  const entered = Promise.withResolvers<void>();
  const client = new Client({
    handler: async ({ body, signal }) => {
      const bytes = await body.read(BODY_SIZE_MAX) ?? new Uint8Array(0);
      signal.addEventListener("abort", () => {});
      entered.resolve();
      await settle();
      bodies.push(textOf(bytes));
      return new Answer(200, NO_HEADERS);
    },
  });

  client.connection.push(bytesOf(`${post("/", "Content-Length: 5")}hello`));
  await entered.promise;
  const first = await client.ask(PING);
  const second = await client.ask();

  assertEquals([bodies[0], first + second], ["hello", ok("") + ok("")]);
  await client.end();
});

const TIMES: readonly (readonly [name: string, sent: readonly string[], timeMs: number])[] = [
  ["no head", [], TIMEOUTS.headerTimeoutMs],
  ["half a head", ["GET / HTTP/1.1\r\n"], TIMEOUTS.headerTimeoutMs],
  ["half a head after a request", [PING, "GET / HTTP/1.1\r\n"], TIMEOUTS.headerTimeoutMs],
  ["half a body", [`${post("/read", "Content-Length: 5")}hel`], TIMEOUTS.bodyTimeoutMs],
  [
    "half a body in chunks",
    [`${post("/read", "Transfer-Encoding: chunked")}5\r\nhel`],
    TIMEOUTS.bodyTimeoutMs,
  ],
  ["half a body that is not read", [`${post("/unread", "Content-Length: 5")}hel`], TIMEOUTS.bodyTimeoutMs],
  ["nothing after a request", [PING], TIMEOUTS.idleTimeoutMs],
];

for (const [name, sent, timeMs] of TIMES) {
  connectionTest(`HttpConnection ends a client that has sent ${name} when its time is up`, async (client) => {
    await client.ask(...sent);

    await client.pass(timeMs - SOON_MS);
    const before = client.closed;
    await client.pass(timeMs);

    assertEquals([before, client.closed], [false, true]);
    assertEquals(client.faults, []);
    // It is nobody's fault that there is no further request.
    const isFault = name !== "nothing after a request";
    assertEquals(client.errors, isFault ? ["HTTP_TIMEOUT 127.0.0.1:5000 i/o timeout"] : []);
  }, { timeouts: TIMEOUTS });

  connectionTest(
    `HttpConnection without limits on time waits for a client that has sent ${name}`,
    async (client) => {
      await client.ask(...sent);

      await client.pass(1e12);

      assert(!client.closed);
    },
  );
}

connectionTest(
  "HttpConnection ends a client that does not read its answer when its time is up",
  async (client) => {
    client.connection.hold();
    await client.ask(PING);

    await client.pass(TIMEOUTS.writeTimeoutMs - SOON_MS);
    const before = client.closed;
    await client.pass(TIMEOUTS.writeTimeoutMs);

    assertEquals([before, client.closed], [false, true]);
  },
  { timeouts: TIMEOUTS },
);

Deno.test("HttpConnection gives a handler the time that it takes", async () => {
  const release = Promise.withResolvers<Answer>();
  const client = new Client({ timeouts: TIMEOUTS, handler: () => release.promise });
  await client.ask(PING);

  await client.pass(1e12);
  const closed = client.closed;
  release.resolve(new Answer(200, NO_HEADERS));

  assertEquals([closed, await client.ask()], [false, ok("")]);
  await client.end();
});

connectionTest(
  "HttpConnection lets what still comes after the last answer be dropped, for 5 s",
  async (client) => {
    await client.ask("NOT HTTP\r\n\r\n", "x".repeat(100_000));

    await client.pass(5000 - SOON_MS);
    const before = client.closed;
    await client.pass(5000);

    assertEquals([before, client.closed], [false, true]);
  },
);

connectionTest(
  "HttpConnection takes memory for what has come of a body, not for what is announced",
  async (client) => {
    await client.ask(post("/read", "Content-Length: 900000"), "x".repeat(1000));
    const begun = client.budget.size;
    await client.ask("x".repeat(99_000));
    const later = client.budget.size;

    assertEquals([begun, later], [65_536, 131_072]);
  },
);

connectionTest(
  "HttpConnection waits for the end of an unread body in chunks, and keeps the connection",
  async (client) => {
    const before = await client.ask(`${post("/unread", "Transfer-Encoding: chunked")}5\r\nhel`);
    const after = await client.ask("lo\r\n0\r\n\r\n");

    assertEquals([before, after, await client.ask(PING)], ["", ok("/unread"), ok("/ping")]);
  },
);

connectionTest("HttpConnection waits for no end of a body in chunks that was refused", async (client) => {
  const chunk = `F4241\r\n${"x".repeat(1_000_001)}`;

  assertEquals(await client.ask(`${post("/read", "Transfer-Encoding: chunked")}${chunk}`), last("too big"));
});

for (
  const [what, error, faults] of [
    // Whoever gives up one that does not read says so.
    ["gives its client up", new Deno.errors.TimedOut("The client does not read"), []],
    ["breaks", new Error("boom"), ["[127.0.0.1:5000] boom"]],
  ] as const
) {
  for (const [when, isRead] of [["is read", true], ["waits for its client", false]] as const) {
    Deno.test(`HttpConnection ends when a stream ${what} while it ${when}, and tells of a fault once`, async () => {
      let stream!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({ start: (made) => void (stream = made) });
      const client = new Client({ handler: () => Promise.resolve(new Answer(200, NO_HEADERS, body)) });
      await client.ask(PING);
      if (!isRead) {
        client.connection.hold();
        stream.enqueue(Uint8Array.of(1));
        await settle();
      }

      stream.error(error);
      await settle();
      assertEquals(client.closed, isRead);
      await client.end();

      // A rejection that nobody has waited for would end the daemon, and this test.
      await settle();
      assertEquals(client.faults, [...faults]);
    });
  }
}

Deno.test("HttpConnection tells of a fault of a stream whose client has gone", async () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    cancel() {
      throw new Error("boom");
    },
  });
  const client = new Client({ handler: () => Promise.resolve(new Answer(200, NO_HEADERS, body)) });
  await client.ask(PING);

  await client.end();

  assertEquals(client.faults, ["[127.0.0.1:5000] boom"]);
});
