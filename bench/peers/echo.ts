/**
 * What the runtime itself costs: a server that reads what has come, and writes the OK of protocol V2, once for each read. It
 * looks at nothing, so it is right only for clients that wait for each answer. With `--http` it is `Deno.serve` with a
 * handler that reads the body, and nothing else.
 *
 * Tells its port on standard output.
 *
 * @module
 */

import { OK_FRAME } from "../../src/protocol/frames.ts";

const OK_BYTES = new Uint8Array(OK_FRAME);
/** As large as what a session of nsqd reads into at first. */
const BUFFER_SIZE = 4096;

if (Deno.args.includes("--http")) {
  const listens = Promise.withResolvers<number>();
  Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => listens.resolve(port) },
    async (request) => {
      await request.bytes();
      return new Response("OK");
    },
  );
  console.log(await listens.promise);
} else {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log((listener.addr as Deno.NetAddr).port);
  for await (const conn of listener) answerAll(conn);
}

async function answerAll(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(BUFFER_SIZE);
  try {
    while (await conn.read(buffer) !== null) await conn.write(OK_BYTES);
  } catch (error) {
    // The clients end all at once.
    if (!(error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe)) {
      throw error;
    }
  }
  conn.close();
}
