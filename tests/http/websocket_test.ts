import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import type { HttpRequest } from "../../src/http/http_request.ts";
import { WebSocketConnection, WebSocketError } from "../../src/http/websocket.ts";
import { serveWithRuntime } from "../../src/http/deno_serve.ts";
import { UNREAD_MAX } from "../../src/http/runtime_socket.ts";
import { v1 } from "../../src/http/decorators.ts";
import { RequestContext } from "../../src/http/request_context.ts";
import { TestHttpServer, WAYS } from "../support/http_server.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import { clientFrame, type FrameOptions } from "../support/websocket_frames.ts";

const PROTOCOL = "p.v1";

/** Answers with an upgrade, and sends back what comes. */
function echo(done: (text: string) => void = () => {}) {
  return (request: HttpRequest) =>
    Promise.resolve(
      v1(() =>
        request.upgrade({
          protocol: PROTOCOL,
          serve: async (connection) => {
            const buffer = new Uint8Array(1000);
            try {
              for (let count; (count = await connection.read(buffer)) !== null;) {
                for (let sent = 0; sent < count;) {
                  sent += await connection.write(buffer.subarray(sent, count));
                }
              }
              done("end");
            } catch (error) {
              done(String(error));
            }
            connection.close();
          },
        })
      )(new RequestContext(request)),
    );
}

function openSocket(url: string, protocols: string[] = [PROTOCOL]): Promise<WebSocket> {
  const socket = new WebSocket(url.replace("http", "ws"), protocols);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error("It does not open"));
  });
}

for (const [name, serve] of WAYS) {
  Deno.test(`${name} carries a stream of bytes over a WebSocket, whatever the messages`, async () => {
    await using server = new TestHttpServer({ serve, handler: echo() });
    const socket = await openSocket(server.url);
    const sent = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
    const received: Uint8Array[] = [];
    const all = Promise.withResolvers<void>();
    socket.onmessage = ({ data }) => {
      received.push(new Uint8Array(data));
      if (received.reduce((sum, { length }) => sum + length, 0) === sent.length) all.resolve();
    };
    for (const [from, to] of [[0, 1], [1, 1], [1, 127], [127, 400], [400, 66_000], [66_000, 200_000]]) {
      socket.send(sent.slice(from, to));
    }
    await all.promise;

    assertEquals(concat(received), sent);
    assertEquals(socket.protocol, PROTOCOL);
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    socket.close(1000);
    assertEquals((await closed).wasClean, true);
  });

  Deno.test(`${name} ends a WebSocket with the stream, and tells the client`, async () => {
    const ended = Promise.withResolvers<void>();
    const handler = (request: HttpRequest) =>
      Promise.resolve(request.upgrade({
        protocol: PROTOCOL,
        async serve(connection) {
          await connection.write(new TextEncoder().encode("bye"));
          connection.close();
          ended.resolve();
        },
      }));
    await using server = new TestHttpServer({ serve, handler });
    const socket = await openSocket(server.url);
    const bye = Promise.withResolvers<string>();
    socket.onmessage = ({ data }) => bye.resolve(new TextDecoder().decode(data));
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    await ended.promise;

    assertEquals(await bye.promise, "bye");
    const { code, wasClean } = await closed;
    assertEquals([code, wasClean], [1000, true]);
  });

  Deno.test(`${name} closes a WebSocket on which text comes`, async () => {
    await using server = new TestHttpServer({ serve, handler: echo() });
    const socket = await openSocket(server.url);
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    socket.send("text");

    assertEquals((await closed).code, 1003);
  });

  Deno.test(`${name} opens a WebSocket for who names no subprotocol, and for none who names others only`, async () => {
    await using server = new TestHttpServer({ serve, handler: echo() });
    const socket = await openSocket(server.url, []);
    assertEquals(socket.protocol, "");
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;

    await assertRejects(() => openSocket(server.url, ["other"]), Error, "It does not open");
  });

  Deno.test(`${name} tells who does not ask for a WebSocket what to ask for`, async () => {
    await using server = new TestHttpServer({ serve, handler: echo() });

    const response = await fetch(server.url);

    assertEquals([response.status, response.headers.get("upgrade")], [426, "websocket"]);
    assertEquals(await response.text(), '{"message":"UPGRADE_REQUIRED"}');
  });
}

Deno.test("serveWithRuntime() closes a WebSocket of which more has come than is read", async () => {
  const left = Promise.withResolvers<void>();
  const handler = (request: HttpRequest) =>
    Promise.resolve(request.upgrade({ protocol: PROTOCOL, serve: () => left.promise }));
  await using server = new TestHttpServer({ serve: serveWithRuntime, handler });
  const socket = await openSocket(server.url);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  for (let i = 0; i < 16; i++) socket.send(new Uint8Array(UNREAD_MAX / 16));
  socket.send(new Uint8Array(1));

  assertEquals((await closed).code, 1009);
  left.resolve();
});

const UPGRADE = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n";
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

Deno.test("serveHttp() answers a handshake as the RFC's example has it", async () => {
  await using server = new TestHttpServer({ handler: echo() });
  using client = await RawHttpClient.to(server);
  await client.send(`${UPGRADE}${KEY}Sec-WebSocket-Version: 13\r\n\r\n`);
  const head = await client.head();

  assertMatch(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assertMatch(head, /\r\nSec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  assertMatch(head, /\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n/);
});

const HANDSHAKES: readonly (readonly [what: string, head: string, answer: string])[] = [
  ["another version", `${UPGRADE}${KEY}Sec-WebSocket-Version: 8\r\n\r\n`, "426 UNKNOWN_VERSION"],
  ["no version", `${UPGRADE}${KEY}\r\n`, "426 UNKNOWN_VERSION"],
  ["no key", `${UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n`, "400 INVALID_KEY"],
  [
    "a short key",
    `${UPGRADE}Sec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    "400 INVALID_KEY",
  ],
  [
    "another method",
    `${UPGRADE.replace("GET", "POST")}${KEY}Sec-WebSocket-Version: 13\r\n\r\n`,
    "426 UPGRADE_REQUIRED",
  ],
  [
    "another protocol",
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "426 UPGRADE_REQUIRED",
  ],
];

for (const [what, head, expected] of HANDSHAKES) {
  Deno.test(`serveHttp() refuses a handshake with ${what}`, async () => {
    await using server = new TestHttpServer({ handler: echo() });
    using client = await RawHttpClient.to(server);
    await client.send(head);
    const answer = await client.response();
    const [status, message] = expected.split(" ");

    assertMatch(answer, new RegExp(`^HTTP/1.1 ${status} `));
    assertMatch(answer, new RegExp(`"message":"${message}"`));
  });
}

/** A WebSocket on a connection in memory, to which a client has sent these frames. */
function sent(
  ...frames: readonly Uint8Array[]
): { socket: WebSocketConnection; connection: MemoryConnection } {
  const connection = new MemoryConnection("127.0.0.1:1234");
  for (const frame of frames) connection.push(frame);
  return { socket: new WebSocketConnection(connection), connection };
}

/** What has been written to the client: two bytes, a space, and the rest. */
function hexOf({ written }: MemoryConnection): string {
  const bytes = concat(written);
  return `${bytes.subarray(0, 2).toHex()} ${bytes.subarray(2).toHex()}`;
}

const PROTOCOL_ERROR = "8802 03ea";
const BROKEN: readonly (readonly [what: string, frames: readonly FrameOptions[], told: string])[] = [
  ["a reserved bit", [{ opcode: 2, first: 0xc2 }], PROTOCOL_ERROR],
  ["a frame without a mask", [{ opcode: 2, isMasked: false }], PROTOCOL_ERROR],
  ["a continuation of nothing", [{ opcode: 0 }], PROTOCOL_ERROR],
  ["a message within another", [{ opcode: 2, isLast: false }, { opcode: 2 }], PROTOCOL_ERROR],
  ["a ping in parts", [{ opcode: 9, isLast: false }], PROTOCOL_ERROR],
  ["a ping of 126 bytes", [{ opcode: 9, data: new Uint8Array(126) }], PROTOCOL_ERROR],
  ["an unknown opcode", [{ opcode: 3 }], PROTOCOL_ERROR],
  ["an unknown control frame", [{ opcode: 11 }], PROTOCOL_ERROR],
  ["a length of 2^63", [{ opcode: 2, length: 2n ** 63n }], PROTOCOL_ERROR],
  ["text", [{ opcode: 1, data: new Uint8Array(1) }], "8802 03eb"],
];

for (const [what, frames, told] of BROKEN) {
  Deno.test(`WebSocketConnection refuses ${what}, and tells the client`, async () => {
    const { socket, connection } = sent(...frames.map(clientFrame));
    const readAll = async () => {
      while (await socket.read(new Uint8Array(10)) !== null);
    };

    await assertRejects(readAll, WebSocketError);
    assertEquals(hexOf(connection), told);
  });
}

Deno.test("WebSocketConnection answers pings with what was in them, in the middle of a message too", async () => {
  const { socket, connection } = sent(
    clientFrame({ opcode: 2, isLast: false, data: Uint8Array.of(1) }),
    clientFrame({ opcode: 9, data: new Uint8Array(125).fill(7) }),
    clientFrame({ opcode: 10 }),
    clientFrame({ opcode: 0, data: Uint8Array.of(2) }),
  );
  const buffer = new Uint8Array(10);

  assertEquals([await socket.read(buffer), buffer[0]], [1, 1]);
  assertEquals([await socket.read(buffer), buffer[0]], [1, 2]);
  assertEquals(hexOf(connection), `8a7d ${"07".repeat(125)}`);
});

Deno.test("WebSocketConnection ends with a close frame, which is answered", async () => {
  const { socket, connection } = sent(clientFrame({ opcode: 8, data: Uint8Array.of(0x03, 0xe9, 120) }));

  assertEquals(await socket.read(new Uint8Array(10)), null);
  assertEquals(hexOf(connection), "8802 03e9");
});

Deno.test("WebSocketConnection reads frames that come byte by byte", async () => {
  const data = Uint8Array.from({ length: 300 }, (_, i) => i);
  const frame = clientFrame({ opcode: 2, data });
  const { socket } = sent(...Array.from(frame, (byte) => Uint8Array.of(byte)));
  const buffer = new Uint8Array(300);
  for (let length = 0; length < 300;) length += await socket.read(buffer.subarray(length)) ?? NaN;

  assertEquals(buffer, data);
});

Deno.test("WebSocketConnection writes lengths in the shortest form", async () => {
  for (
    const [length, head] of [[125, "827d"], [126, "827e007e"], [65_535, "827effff"], [
      65_536,
      "827f0000000000010000",
    ]] as const
  ) {
    const { socket, connection } = sent();
    // More than 64 KiB goes out as several messages.
    for (let left = length; left > 0;) left -= await socket.write(new Uint8Array(left));

    assertEquals(concat(connection.written).subarray(0, head.length / 2).toHex(), head);
  }
});

Deno.test("WebSocketConnection.close() ends the connection when the client has answered", async () => {
  const { socket, connection } = sent();
  socket.close();
  connection.push(clientFrame({ opcode: 2, data: Uint8Array.of(1) }));
  connection.push(clientFrame({ opcode: 8 }));
  await socket.finish();

  assertEquals([hexOf(connection), connection.closed], ["8802 03e8", true]);
});

Deno.test("WebSocketConnection.close() does not wait for ever for a client that does not answer", async () => {
  const { socket, connection } = sent();
  connection.hold();
  await socket.finish();

  assertEquals(connection.closed, true);
});
