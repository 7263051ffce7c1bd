import { assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { othersFirst } from "../../src/base/every.ts";
import { discardBody, readBody, refuseBody } from "../../src/http/body.ts";
import { HttpError } from "../../src/http/http_error.ts";
import type { Peer } from "../../src/http/http_request.ts";

const PEER: Peer = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1234 } };
const KIB = 1024;
const MIB = 1024 * KIB;

function post(body: BodyInit, headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/", { method: "POST", body, headers });
}

/** A body in chunks, whose reading is counted. */
function chunks(...sizes: number[]) {
  let read = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (read === sizes.length) controller.close();
      else controller.enqueue(new Uint8Array(sizes[read++]).fill(120));
    },
  }, { highWaterMark: 0 });
  return { stream, read: () => read };
}

Deno.test("readBody() reads a body of announced length up to the limit", async () => {
  const body = await readBody(post("hello", { "content-length": "5" }), 5);

  assertEquals(body, new TextEncoder().encode("hello"));
});

Deno.test("readBody() does not read a body that is announced as too long", async () => {
  const { stream, read } = chunks(3, 3);

  const body = await readBody(post(stream, { "content-length": "6" }), 5);

  assertEquals(body, undefined);
  assertEquals(read(), 0);
});

Deno.test("readBody() reads a body in chunks up to the limit", async () => {
  assertEquals((await readBody(post(chunks(2, 3).stream), 5))?.length, 5);
});

for (const [announced, way] of [[64 * KIB, "at once"], [64 * KIB + 1, "in chunks"]] as const) {
  Deno.test(`readBody() reads a body that is announced with ${announced} bytes ${way}`, async () => {
    const { stream, read } = chunks(announced);
    const request = post(stream, { "content-length": String(announced) });
    let atOnce = 0;
    const bytes = () => {
      atOnce++;
      return request.bytes();
    };

    const body = await readBody(
      {
        method: "POST",
        url: request.url,
        headers: request.headers,
        body: request.body,
        signal: request.signal,
        bytes,
      },
      announced,
    );

    assertEquals([body?.length, read(), atOnce], [announced, 1, way === "at once" ? 1 : 0]);
  });
}

const READERS: readonly (readonly [name: string, read: (body: BodyInit) => Promise<unknown>])[] = [
  ["readBody()", (body) => readBody(post(body), MIB)],
  ["discardBody()", (body) => discardBody(post(body))],
  ["refuseBody()", (body) => refuseBody(post(body, { "content-length": "16000" }), PEER)],
];

for (const [name, readAll] of READERS) {
  Deno.test(`${name} leaves others their turns while it reads many chunks that are there already`, async () => {
    const { stream, read } = chunks(...Array.from({ length: 1000 }, () => 16));
    let most = 0;
    let ended = false;

    const reading = readAll(stream).finally(() => ended = true);
    for (let before = 0; !ended; before = read()) {
      await othersFirst();
      most = Math.max(most, read() - before);
    }
    await reading;

    assertEquals(read(), 1000);
    // Two turns of the one may fall into one of the other.
    assertLessOrEqual(most, 2 * 64 + 1);
  });
}

Deno.test("readBody() stops at the chunk that exceeds the limit", async () => {
  const { stream, read } = chunks(3, 3, 3, 3, 3, 3);

  const body = await readBody(post(stream), 5);

  assertEquals(body, undefined);
  assertEquals(read() < 6, true);
});

Deno.test("readBody() has no bytes for a request without a body", async () => {
  assertEquals(await readBody(new Request("http://localhost/"), 5), new Uint8Array(0));
});

Deno.test("readBody() throws a 500 when the body breaks off", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Deno.errors.ConnectionReset("reset"));
    },
  });

  const error = await assertRejects(() => readBody(post(broken), 5), HttpError, "INTERNAL_ERROR");

  assertEquals(error.status, 500);
});

Deno.test("discardBody() reads to the end", async () => {
  const { stream, read } = chunks(3, 3);

  await discardBody(post(stream));

  assertEquals(read(), 2);
});

Deno.test("discardBody() reads what readBody() has refused", async () => {
  const { stream, read } = chunks(3, 3, 3, 3, 3, 3);
  const request = post(stream);
  await readBody(request, 5);

  await discardBody(request);

  assertEquals(read(), 6);
});

Deno.test("discardBody() gives up a body that is very long", async () => {
  const { stream, read } = chunks(...Array.from({ length: 100 }, () => 1024 * 1024));

  await discardBody(post(stream));

  assertEquals(read(), 17);
});

Deno.test("discardBody() leaves the body of a client that asked before sending", async () => {
  const { stream, read } = chunks(3, 3);

  await discardBody(post(stream, { expect: "100-continue" }));

  assertEquals(read(), 0);
});

Deno.test("discardBody() survives a client that has gone", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Deno.errors.ConnectionReset("reset"));
    },
  });

  await discardBody(post(broken));
});

Deno.test("refuseBody() reads a short body to its end", async () => {
  const { stream, read } = chunks(3, 3);

  await refuseBody(post(stream), PEER);

  assertEquals(read(), 2);
});

Deno.test("refuseBody() does not read a body that is announced as long", async () => {
  const { stream, read } = chunks(KIB);

  await refuseBody(post(stream, { "content-length": String(256 * KIB + 1) }), PEER);

  assertEquals(read(), 0);
});

Deno.test("refuseBody() gives up a body in chunks that gets long", async () => {
  const { stream, read } = chunks(...Array.from({ length: 1000 }, () => 100 * KIB));

  await refuseBody(post(stream), PEER);

  assertEquals(read(), 3);
});

Deno.test("refuseBody() leaves the body of a client that asked before sending", async () => {
  const { stream, read } = chunks(3, 3);

  await refuseBody(post(stream, { expect: "100-continue" }), PEER);

  assertEquals(read(), 0);
});

Deno.test("refuseBody() has nothing to do for a request without a body", async () => {
  await refuseBody(new Request("http://localhost/"), PEER);
});

Deno.test("refuseBody() survives a client that has gone", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Deno.errors.ConnectionReset("reset"));
    },
  });

  await refuseBody(post(broken), PEER);
});
