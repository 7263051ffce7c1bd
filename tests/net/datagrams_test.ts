import { assertEquals, assertRejects } from "@std/assert";
import { createSocket } from "node:dgram";
import { DatagramSender } from "../../src/net/datagrams.ts";

for (const [hostname, bound] of [["127.0.0.1", "127.0.0.1"], ["localhost", "127.0.0.1"], ["", "127.0.0.1"]]) {
  Deno.test(`DatagramSender.send() sends a packet to "${hostname}"`, async () => {
    const got = Promise.withResolvers<string>();
    const receiver = createSocket("udp4", (packet) => got.resolve(packet.toString()));
    await new Promise<void>((resolve) => receiver.bind(0, bound, resolve));

    using sender = await DatagramSender.to({ hostname, port: receiver.address().port });
    await sender.send(new TextEncoder().encode("a:1|c\n"));

    assertEquals(await got.promise, "a:1|c\n");
    await new Promise<void>((resolve) => receiver.close(() => resolve()));
  });
}

Deno.test("DatagramSender.to() rejects for a name without an address", async () => {
  await assertRejects(
    () => DatagramSender.to({ hostname: "no-such-host.invalid", port: 1 }),
    Error,
    "no-such-host",
  );
});

Deno.test("DatagramSender.send() rejects for a packet that is larger than any can be", async () => {
  using sender = await DatagramSender.to({ hostname: "127.0.0.1", port: 9 });

  await assertRejects(() => sender.send(new Uint8Array(70_000)));
});
