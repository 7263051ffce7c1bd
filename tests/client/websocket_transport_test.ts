import { assertEquals } from "@std/assert";
import { ConnectionError, Consumer, Producer } from "../../src/client/mod.ts";
import { connectFailure } from "../support/connect_failure.ts";
import { type NsqdInProcess, nsqdTest } from "../support/nsqd_in_process.ts";

nsqdTest("Producer and Consumer work over a WebSocket that carries the protocol", async (nsqd) => {
  await using server = new WebSocketDoor(nsqd);
  const bodies = Array.from({ length: 200 }, (_, i) => `${i} ${"x".repeat(i * 11)}`);
  await using producer = new Producer({ nsqd: [server.url] });
  await using consumer = new Consumer("orders", "all", { nsqd: [server.url] });

  await Promise.all(bodies.map((body) => producer.publish("orders", body)));
  const received: string[] = [];
  for await (const message of consumer) {
    received.push(message.text());
    message.finish();
    if (received.length === bodies.length) break;
  }

  assertEquals(received, bodies);
});

nsqdTest("Producer and Consumer compress what they send over a WebSocket", async (nsqd) => {
  await using server = new WebSocketDoor(nsqd);
  const options = { nsqd: [server.url], compression: "snappy" } as const;
  await using producer = new Producer(options);
  await using consumer = new Consumer("orders", "all", options);

  await producer.publish("orders", "x".repeat(10_000));

  for await (const message of consumer) {
    assertEquals(message.body.length, 10_000);
    message.finish();
    break;
  }
});

nsqdTest("Producer tells that a WebSocket cannot be had", async (nsqd) => {
  const url = `${nsqd.httpUrl.replace("http", "ws")}/nothing`;
  await using producer = new Producer({ nsqd: [url] });

  const error = await connectFailure(producer);

  assertEquals([error instanceof ConnectionError, error.message.startsWith(`${url}: `)], [true, true]);
});

/** Takes WebSockets and passes what comes in binary messages on to nsqd's TCP port, and back. */
class WebSocketDoor implements AsyncDisposable {
  readonly #end = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #tasks: Promise<void>[] = [];

  constructor({ tcpAddress }: NsqdInProcess) {
    const [hostname, port] = tcpAddress.split(":");
    const options = { hostname: "127.0.0.1", port: 0, signal: this.#end.signal, onListen: () => {} };
    this.#server = Deno.serve(options, async (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      const connection = await Deno.connect({ hostname, port: Number(port) });
      socket.binaryType = "arraybuffer";
      this.#tasks.push(pass(socket, connection));
      return response;
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.addr.port}/v2`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#tasks);
    this.#end.abort();
    await this.#server.finished;
  }
}

async function pass(socket: WebSocket, connection: Deno.TcpConn): Promise<void> {
  let writing = Promise.resolve();
  socket.onmessage = ({ data }) => {
    writing = writing.then(async () => {
      const bytes = new Uint8Array(data);
      for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    });
  };
  const closed = new Promise<void>((resolve) =>
    socket.onclose = () => {
      writing.finally(() => connection.closeWrite()).finally(resolve);
    }
  );
  await new Promise((resolve) => socket.onopen = resolve);
  // In odd pieces, so that frames are cut.
  const buffer = new Uint8Array(997);
  for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
    if (socket.readyState === WebSocket.OPEN) socket.send(buffer.slice(0, count));
  }
  socket.close();
  await closed;
  connection.close();
}
