/**
 * Links over sockets.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { SOCKET_TRANSPORT } from "../../src/client/socket_transport.ts";
import { eventually } from "../support/eventually.ts";

/** What came of a link to a node that has said something, and then closed. */
interface Outcome {
  /** Why the write failed after that; undefined when it did not. */
  readonly failed: Error | undefined;
  readonly ended: Error | undefined;
  readonly heard: readonly string[];
}

async function refusedBy(listener: Deno.TcpListener): Promise<Outcome> {
  const { port } = listener.addr;
  const accepted = listener.accept();
  const link = await SOCKET_TRANSPORT.connect(
    { kind: "tcp", host: "127.0.0.1", port, text: `127.0.0.1:${port}` },
    { signal: new AbortController().signal },
  );
  const node = await accepted;
  const heard: string[] = [];
  const ended = Promise.withResolvers<Error | undefined>();
  const written = () =>
    new Promise<Error | undefined>((resolve) =>
      link.write(new Uint8Array(9), (error) => resolve(error ?? undefined))
    );

  await written();
  await node.read(new Uint8Array(9));
  await node.write(new TextEncoder().encode("E_BAD_MESSAGE"));
  node.close();
  // Is taken, and answered with a reset, so that the next one fails.
  await written();
  const failing = written();
  link.owner = {
    received: (bytes) => void heard.push(new TextDecoder().decode(bytes)),
    ended: ended.resolve,
  };
  const failed = await failing;
  if (failed === undefined) link.destroy();
  return { failed, ended: await ended.promise, heard };
}

Deno.test("SocketLink tells what the node has said before a write failed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  // On a machine that does much else, the reset may come behind the next write.
  const { failed, ended, heard } = await eventually("a write fails", async () => {
    const outcome = await refusedBy(listener);
    return outcome.failed !== undefined && outcome;
  });

  assertMatch(String(failed), /EPIPE/);
  assertMatch(String(ended), /EPIPE/);
  assertEquals(heard, ["E_BAD_MESSAGE"]);
});
