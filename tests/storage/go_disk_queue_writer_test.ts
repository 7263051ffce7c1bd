import { assertEquals } from "@std/assert";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { DiskQueueWriter } from "../../src/storage/go_disk_queue_writer.ts";
import { bytesOf } from "../support/frames.ts";
import { type GoMessage, goMessages, goMessagesIn, goMessageText, namesIn } from "../support/go_data_path.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

/** Writes the messages as queue `q`; returns the files, data as hexadecimal digits and metadata as text. */
async function write(
  messages: readonly GoMessage[],
  maxBytesPerFile = 1000,
): Promise<Record<string, string>> {
  const written: Record<string, string> = {};
  await withDataPath(async (folder) => {
    using writer = new DiskQueueWriter({ files: DENO_FILES, folder, name: "q", maxBytesPerFile });
    for (const { body, id = "", attempts = 0, timestampNs = 0n } of messages) {
      writer.add({
        timestampHigh: Number(timestampNs >> 32n),
        timestampLow: Number(timestampNs & 0xffffffffn),
        attempts,
        id: bytesOf(id),
        body: bytesOf(body),
      });
    }
    await writer.finish();
    for (const name of namesIn(DENO_FILES, folder)) {
      const bytes = DENO_FILES.readSync(`${folder}/${name}`);
      written[name] = name.includes("meta") ? new TextDecoder().decode(bytes) : bytes.toHex();
    }
  });
  return written;
}

function messagesIn(hex: string): string[] {
  return goMessagesIn(Uint8Array.fromHex(hex));
}

Deno.test("DiskQueueWriter writes what Go's nsqd has written of the same messages", async () => {
  const files = await write([
    { body: "m4", id: "18a46c125da69004", attempts: 0, timestampNs: 1795357166805653976n },
    { body: "m1", id: "18a46c125da69001", attempts: 1, timestampNs: 1795357166805653255n },
    { body: "m3", id: "18a46c125da69003", attempts: 1, timestampNs: 1795357166805653785n },
  ]);

  assertEquals(files, {
    "q.diskqueue.000000.dat": "0000001c18ea63d4bc6719d8000031386134366331323564613639303034" + "6d34" +
      "0000001c18ea63d4bc671707000131386134366331323564613639303031" + "6d31" +
      "0000001c18ea63d4bc671919000131386134366331323564613639303033" + "6d33",
    "q.diskqueue.meta.dat": "3\n0,0\n0,96\n",
  });
});

Deno.test("DiskQueueWriter writes attempts as two bytes", async () => {
  const files = await write([{ body: "", id: "18a46c125da69004", attempts: 0x1234 }]);

  assertEquals(
    files["q.diskqueue.000000.dat"],
    "0000001a" + "0".repeat(16) + "1234" + "31386134366331323564613639303034",
  );
});

Deno.test("DiskQueueWriter begins the next file where a message would make one too long, as Go does", async () => {
  // Of 40, 40, 41, 200 and 30 bytes.
  const messages = goMessages("0123456789", "0123456789", "0123456789x", "x".repeat(170), "");
  const files = await write(messages, 80);

  assertEquals(files["q.diskqueue.meta.dat"], "5\n0,0\n3,30\n");
  const texts = messages.map(goMessageText);
  assertEquals(Object.keys(files).length, 5);
  assertEquals([0, 1, 2, 3].map((number) => messagesIn(files[`q.diskqueue.00000${number}.dat`])), [
    texts.slice(0, 2),
    texts.slice(2, 3),
    texts.slice(3, 4),
    texts.slice(4),
  ]);
});

Deno.test("DiskQueueWriter makes no files for a queue without messages", async () => {
  assertEquals(await write([]), {});
});

Deno.test("DiskQueueWriter writes more than it gathers, and messages that are longer than that", async () => {
  const messages = goMessages(...[700_000, 700_000, 0, 2_500_000, 1].map((size) => "x".repeat(size)));
  const files = await write(messages, 100_000_000);

  const texts = messagesIn(files["q.diskqueue.000000.dat"]);
  assertEquals(texts.map((text) => text.length), messages.map((message) => goMessageText(message).length));
  assertEquals(texts.join() === messages.map(goMessageText).join(), true);
  assertEquals(files["q.diskqueue.meta.dat"], "5\n0,0\n0,3900151\n");
});
