import { assertEquals, assertRejects } from "@std/assert";
import { HttpSender, type SenderOptions } from "../../../src/tools/to_http/http_sender.ts";

const OK = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

function senderWith(options: Partial<SenderOptions> = {}): HttpSender {
  return new HttpSender({
    method: "POST",
    headers: {},
    contentType: "text/plain",
    gzip: false,
    hmacKey: undefined,
    tls: {},
    connections: 1,
    connectTimeoutMs: 5000,
    requestTimeoutMs: 5000,
    userAgent: "test",
    ...options,
  });
}

/** A server that answers so many requests on each connection, and ends it with the next. */
async function withServer(
  requests: number,
  use: (url: string, connections: () => number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving: Promise<void>[] = [];
  const serve = async (connection: Deno.Conn) => {
    using _ = connection;
    const buffer = new Uint8Array(65536);
    for (let count = 0; await connection.read(buffer) !== null && count < requests; count++) {
      await connection.write(OK);
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) serving.push(serve(connection));
  })();
  await use(`http://127.0.0.1:${listener.addr.port}/`, () => serving.length);
  listener.close();
  await accepting;
  await Promise.all(serving);
}

const body = new TextEncoder().encode("a");

Deno.test("HttpSender sends a request again when a connection that was kept has ended", async () => {
  await withServer(1, async (url, connections) => {
    using sender = senderWith();
    for (let i = 0; i < 3; i++) assertEquals((await sender.send(url, body, {})).status, 200);

    assertEquals(connections(), 3);
  });
});

Deno.test("HttpSender does not send a request again on a connection of its own", async () => {
  await withServer(0, async (url, connections) => {
    using sender = senderWith();
    await assertRejects(() => sender.send(url, body, {}));

    assertEquals(connections(), 1);
  });
});

Deno.test("HttpSender uses a connection again", async () => {
  await withServer(10, async (url, connections) => {
    using sender = senderWith();
    for (let i = 0; i < 3; i++) await sender.send(url, body, {});

    assertEquals(connections(), 1);
  });
});
