/**
 * Links over sockets.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { SOCKET_TRANSPORT } from "../../src/client/socket_transport.ts";

Deno.test("SocketLink tells what the node has said before a write failed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const accepted = listener.accept();
  const link = await SOCKET_TRANSPORT.connect(
    { kind: "tcp", host: "127.0.0.1", port, text: `127.0.0.1:${port}` },
    { signal: new AbortController().signal },
  );
  const node = await accepted;
  const heard: string[] = [];
  const ended = Promise.withResolvers<Error | undefined>();
  const written = () =>
    new Promise<Error | null | undefined>((resolve) => link.write(new Uint8Array(9), resolve));

  await written();
  await node.read(new Uint8Array(9));
  await node.write(new TextEncoder().encode("E_BAD_MESSAGE"));
  node.close();
  // Is taken, and answered with a reset, so that the next one fails.
  await written();
  const failed = written();
  link.owner = {
    received: (bytes) => void heard.push(new TextDecoder().decode(bytes)),
    ended: ended.resolve,
  };

  assertMatch(String(await ended.promise), /EPIPE/);
  assertMatch(String(await failed), /EPIPE/);
  assertEquals(heard, ["E_BAD_MESSAGE"]);
});
