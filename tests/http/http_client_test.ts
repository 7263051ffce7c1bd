import { assert, assertEquals, assertRejects } from "@std/assert";
import { othersFirst } from "../../src/base/every.ts";
import type { ClientAnswer } from "../../src/http/answer_reader.ts";
import type { HttpClientOptions } from "../../src/http/http_client.ts";
import { HttpClient } from "../../src/http/http_client.ts";
import { FakeHttp, RawAnswerer } from "../support/fake_http.ts";
import { deadAddress } from "../support/ports.ts";

/** Longer than any test takes. */
const LONG_MS = 60_000;

function clientWith(options: Partial<HttpClientOptions> = {}): HttpClient {
  const { signal } = new AbortController();
  return new HttpClient({ connectTimeoutMs: LONG_MS, requestTimeoutMs: LONG_MS, signal, ...options });
}

function get(client: HttpClient, address: string): Promise<string> {
  return client.send({ method: "GET", url: new URL(`http://${address}/path?a=b`) }, textOf);
}

function textOf({ bytes }: ClientAnswer): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("HttpClient.send() sends what it is given, and has the answer used", async () => {
  await using server = new FakeHttp(() => new Response("answer", { status: 418, headers: { "x-a": "b" } }));
  const url = new URL(`http://me:s%40cret@${server.address}/path?a=b`);

  const answer = await clientWith().send(
    { method: "POST", url, headers: [["X-B", "c"]], body: "question" },
    (answer) => ({ status: answer.status, header: answer.headers.get("x-a"), text: textOf(answer) }),
  );

  assertEquals(answer, { status: 418, header: "b", text: "answer" });
  const [{ method, target, headers, body }] = server.requests;
  assertEquals([method, target, body], ["POST", "/path?a=b", "question"]);
  assertEquals(
    [headers.get("x-b"), headers.get("host"), headers.get("authorization")],
    ["c", server.address, `Basic ${btoa("me:s@cret")}`],
  );
});

Deno.test("HttpClient.send() says that nobody listens", async () => {
  const address = deadAddress();

  await assertRejects(
    () => get(clientWith(), address),
    Error,
    `dial tcp ${address}: connect: connection refused`,
  );
});

Deno.test("HttpClient.send() says that there is no such host", async () => {
  await assertRejects(
    () => get(clientWith(), "nobody.invalid:80"),
    Error,
    "dial tcp: lookup nobody.invalid: no such host",
  );
});

Deno.test("HttpClient.send() waits no longer than it may for a server that does not answer", async () => {
  await using server = new RawAnswerer("", { keeps: true });

  await assertRejects(
    () => get(clientWith({ requestTimeoutMs: 50 }), server.address),
    Error,
    "timeout awaiting response headers",
  );
});

Deno.test("HttpClient.send() waits no longer than a request may take, if that is less than any may", async () => {
  await using server = new RawAnswerer("", { keeps: true });
  const url = new URL(`http://${server.address}/`);

  for (const [requestTimeoutMs, timeoutMs] of [[600_000, 50], [0, 50], [50, 600_000]]) {
    const http = clientWith({ requestTimeoutMs });
    const sending = http.send({ method: "GET", url, timeoutMs }, () => {});
    await assertRejects(() => sending, Error, "timeout awaiting response headers");
  }
});

Deno.test("HttpClient.send() waits no longer than it may for the rest of an answer", async () => {
  await using server = new RawAnswerer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1", { keeps: true });

  await assertRejects(
    () => get(clientWith({ requestTimeoutMs: 100 }), server.address),
    Error,
    "while reading body",
  );
});

for (const timeoutMs of [0, 2 ** 31]) {
  Deno.test(`HttpClient.send() waits for as long as it takes with a limit of ${timeoutMs} ms`, async () => {
    await using server = new FakeHttp(async () => {
      await othersFirst();
      await othersFirst();
      return new Response("late");
    });
    const client = clientWith({ connectTimeoutMs: timeoutMs, requestTimeoutMs: timeoutMs });

    assertEquals(await get(client, server.address), "late");
  });
}

for (
  const [what, answer, reason] of [
    ["is none", "SSH-2.0-OpenSSH_9.6\r\n", "malformed HTTP response"],
    ["is nothing", "", "EOF"],
    ["breaks off", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1", "unexpected EOF"],
    ["has a head without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(1_000_000)}`, "malformed HTTP response"],
  ]
) {
  Deno.test(`HttpClient.send() refuses an answer that ${what}`, async () => {
    await using server = new RawAnswerer(answer);

    await assertRejects(() => get(clientWith(), server.address), Error, reason);
  });
}

Deno.test("HttpClient.send() reads an answer as large as it may be, and none that is larger", async () => {
  await using server = new FakeHttp(() => new Response("x".repeat(1000)));

  assertEquals((await get(clientWith({ answerSizeMax: 1000 }), server.address)).length, 1000);
  await assertRejects(
    () => get(clientWith({ answerSizeMax: 999 }), server.address),
    Error,
    "the answer has more than 999 bytes",
  );
});

Deno.test("HttpClient.send() refuses what all answers together have not the memory for, until they are used", async () => {
  await using server = new FakeHttp(() => new Response("x".repeat(1000)));
  const client = clientWith({ answersSizeMax: 1999 });
  const url = new URL(`http://${server.address}/`);

  await client.send({ method: "GET", url }, async () => {
    await assertRejects(() => get(client, server.address), Error, "answers take too much memory together");
  });

  assertEquals((await get(client, server.address)).length, 1000);
});

Deno.test("HttpClient.send() makes no more requests at a time than it may", async () => {
  let atOnce = 0;
  let most = 0;
  await using server = new FakeHttp(async () => {
    most = Math.max(most, ++atOnce);
    await othersFirst();
    atOnce--;
    return new Response("");
  });
  const client = clientWith({ requestsMax: 2 });

  await Promise.all(Array.from({ length: 8 }, () => get(client, server.address)));

  assertEquals([server.requests.length, most], [8, 2]);
});

Deno.test("HttpClient.send() fails when too many requests are waiting", async () => {
  await using server = new FakeHttp();
  const client = clientWith({ requestsMax: 1, waitingMax: 1 });

  const results = await Promise.allSettled([1, 2, 3].map(() => get(client, server.address)));

  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
});

Deno.test("HttpClient.send() follows no redirection", async () => {
  await using other = new FakeHttp();
  await using server = new FakeHttp(() => Response.redirect(`http://${other.address}/`));

  const status = await clientWith().send(
    { method: "GET", url: new URL(`http://${server.address}/`) },
    ({ status }) => status,
  );

  assertEquals([status, other.requests.length], [302, 0]);
});

Deno.test("HttpClient.send() ends with its signal, and begins nothing after it", async () => {
  await using server = new RawAnswerer("", { keeps: true });
  const end = new AbortController();
  const client = clientWith({ signal: end.signal });
  const waiting = assertRejects(() => get(client, server.address), Error, "context canceled");

  end.abort();

  await waiting;
  await assertRejects(() => get(client, server.address), Error, "context canceled");
  assert(end.signal.aborted);
});

Deno.test("HttpClient.send() reads answers to the same memory, but to none that is in use, or was of a request that failed", async () => {
  await using server = new FakeHttp(({ target }) => new Response(target.slice(1).repeat(1000)));
  await using cut = new RawAnswerer("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nx");
  const client = clientWith();
  const ask = (letter: string, use: (answer: ClientAnswer) => Promise<void> = () => Promise.resolve()) =>
    client.send({ method: "GET", url: new URL(`http://${server.address}/${letter}`) }, async (answer) => {
      await use(answer);
      assertEquals(textOf(answer), letter.repeat(1000));
    });

  await ask("a", async () => {
    await assertRejects(() => get(client, cut.address), Error, "unexpected EOF");
    await Promise.all([..."bcdefgh"].map((letter) => ask(letter)));
  });
  await Promise.all([..."ijklmnop"].map((letter) => ask(letter, () => ask("q"))));
});

Deno.test("HttpClient.send() has an answer of who does not read the request", async () => {
  await using server = new RawAnswerer("HTTP/1.1 413 x\r\nContent-Length: 2\r\n\r\nno", { keeps: true });
  const url = new URL(`http://${server.address}/`);

  const answer = await clientWith().send(
    { method: "POST", url, body: "x".repeat(32 * 1024 * 1024) },
    ({ status, bytes }) => [status, new TextDecoder().decode(bytes)],
  );

  assertEquals(answer, [413, "no"]);
});

Deno.test("HttpClient.send() says how long a body is, also that there is none of a POST", async () => {
  await using server = new FakeHttp();
  const send = (method: string, body?: string) =>
    clientWith().send({ method, url: new URL(`http://${server.address}/`), body }, () => {});

  await send("GET");
  await send("POST");
  await send("POST", "\u00fc");

  assertEquals(server.requests.map(({ headers }) => headers.get("content-length")), [null, "0", "2"]);
});

Deno.test("HttpClient.send() sends no header that would be another one, too", async () => {
  await using server = new FakeHttp();
  const url = new URL(`http://${server.address}/`);

  for (const value of ["a\r\nX-B: c", "a\nX-B: c", "a\0", "\x7f"]) {
    const sending = clientWith().send({ method: "GET", url, headers: [["X-A", value]] }, () => {});
    await assertRejects(() => sending, TypeError, "the header X-A has a control character");
  }
  assertEquals(server.requests, []);
});

Deno.test("HttpClient.send() tells a handshake that does not come from a connection that does not", async () => {
  await using server = new RawAnswerer("", { keeps: true });
  const client = clientWith({ requestTimeoutMs: 1000 });

  await assertRejects(
    () => client.send({ method: "GET", url: new URL(`https://${server.address}/`) }, () => {}),
    Error,
    "timeout awaiting response headers",
  );
});

Deno.test("HttpClient.send() says why there is no TLS", async () => {
  const address = deadAddress();
  await using silent = new RawAnswerer("");
  await using other = new RawAnswerer("HTTP/1.1 400 Bad Request\r\n\r\n");
  const send = (address: string) =>
    clientWith().send({ method: "GET", url: new URL(`https://${address}/`) }, () => {});

  await assertRejects(() => send(address), Error, `dial tcp ${address}: connect: connection refused`);
  await assertRejects(() => send("nobody.invalid:1"), Error, "dial tcp: lookup nobody.invalid: no such host");
  for (const { address } of [silent, other]) {
    const { message } = await assertRejects(() => send(address), Error);
    assertEquals(message === "" || message.includes("\n"), false);
  }
});
