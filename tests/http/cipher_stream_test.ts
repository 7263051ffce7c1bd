import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import { assert, assertEquals } from "@std/assert";
import { type CipherConnection, CipherStream } from "../../src/http/cipher_stream.ts";

/** A connection whose reads wait until they are answered, and whose writes take at most three bytes. */
class ScriptedConnection implements CipherConnection {
  readonly reads: ((bytes: string | null | Error) => void)[] = [];
  readonly written: string[] = [];
  closed = false;

  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.reads.push((bytes) => {
        if (bytes instanceof Error) reject(bytes);
        else resolve(bytes === null ? null : new TextEncoder().encodeInto(bytes, buffer).written);
      });
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, 3);
    this.written.push(new TextDecoder().decode(part));
    return Promise.resolve(part.length);
  }

  close(): void {
    this.closed = true;
  }
}

/** Lets everything happen that can happen now. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A stream that is read, and what it has read. */
function setUp() {
  const connection = new ScriptedConnection();
  const stream = new CipherStream(connection);
  const received: string[] = [];
  stream.on("data", (bytes) => received.push(bytes.toString()));
  const decrypted = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
  return { connection, stream, received, decrypted };
}

Deno.test("CipherStream passes on what the connection has", async () => {
  const { connection, received } = setUp();
  await settle();

  connection.reads[0]("one");
  await settle();
  connection.reads[1]("two");
  await settle();

  assertEquals(received, ["one", "two"]);
});

Deno.test("CipherStream reads nothing while the decrypted side is paused", async () => {
  const { connection, stream, received, decrypted } = setUp();
  decrypted.on("data", () => {});
  stream.feed(decrypted);
  await settle();

  decrypted.pause();
  connection.reads[0]("one");
  await settle();
  const paused = connection.reads.length;
  decrypted.resume();
  await settle();

  assertEquals([paused, connection.reads.length, received], [1, 2, ["one"]]);
});

Deno.test("CipherStream writes all of what is written", async () => {
  const { connection, stream } = setUp();

  stream.write("12345678");
  await settle();

  assertEquals(connection.written, ["123", "456", "78"]);
});

Deno.test("CipherStream ends with the connection", async () => {
  const { connection, stream } = setUp();
  await settle();

  connection.reads[0](null);
  await settle();

  assert(stream.readableEnded);
});

Deno.test("CipherStream ends the decrypted side when the connection breaks", async () => {
  const { connection, stream, decrypted } = setUp();
  const errors: string[] = [];
  stream.on("error", (error) => errors.push(error.message));
  stream.feed(decrypted);
  await settle();

  connection.reads[0](new Deno.errors.ConnectionReset("reset"));
  await settle();

  assertEquals([errors, decrypted.destroyed, connection.closed], [["reset"], true, true]);
});

Deno.test("CipherStream closes the connection with the decrypted side, also while that is paused", async () => {
  const { connection, stream, decrypted } = setUp();
  stream.feed(decrypted);
  decrypted.pause();
  await settle();

  decrypted.destroy();
  await settle();

  assertEquals([stream.destroyed, connection.closed], [true, true]);
});
