/**
 * Makes a golden data path: starts an nsqd on an empty one, has it do a little of everything that its files tell of, and
 * stops it in order. Run by hand, once for a version of the formats:
 *
 *     deno run -A tests/broker/golden/make.ts FOLDER [PROGRAM ARGUMENT…]
 *
 * @module
 */

import { type MessageFrame, mpub, pub, withBody } from "../../support/frames.ts";
import { RawClient } from "../../support/frames_client.ts";
import { fillFolder, goMessages, goMetadata, goRecords } from "../../support/go_data_path.ts";
import { nsqdCommand, startNsqd } from "../../support/nsqd_process.ts";
import { DENO_FILES } from "../../../src/storage/file_system.ts";

/** More than a batch of version 2 has: an MPUB of several. */
const LONG_BODIES = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i).repeat(1000));

/** Makes it in the folder, which is there and empty. */
async function make(dataPath: string, command: readonly string[]): Promise<void> {
  const [first, second] = goMessages("taken over", "and deferred");
  const records = goRecords([{ ...first, attempts: 3 }, second]);
  fillFolder(DENO_FILES, dataPath, {
    ...goMetadata({ imported: ["c"] }),
    "imported:c.diskqueue.000000.dat": records,
    "imported:c.diskqueue.meta.dat": `2\n0,0\n0,${records.length}\n`,
  });
  await using nsqd = await startNsqd({
    dataPath,
    command,
    args: ["--durability=fsync", "--max-bytes-per-file=4096", "--sync-timeout=50ms"],
  });
  await post(`http://${nsqd.httpAddress}/topic/create?topic=Golden`);
  for (const channel of ["a", "b"]) {
    await post(`http://${nsqd.httpAddress}/channel/create?topic=Golden&channel=${channel}`);
  }
  using client = await RawClient.connect(nsqd.tcpAddress);
  const commands = [
    mpub("Golden", ["1", "two", "three"]),
    pub("Golden", "4"),
    withBody("DPUB Golden 3600000", "in an hour"),
    withBody("DPUB Golden 3000000", "in 50 minutes"),
    mpub("Golden", LONG_BODIES),
    pub("Golden", "last"),
    pub("own", "the topic's own"),
  ];
  for (const command of commands) await expectOk(client, command);

  using consumer = await RawClient.connect(nsqd.tcpAddress);
  await expectOk(consumer, "SUB Golden a\n");
  await consumer.send("RDY 4\n");
  const messages: MessageFrame[] = [];
  for (let i = 0; i < 4; i++) messages.push(await consumer.message());
  const id = (body: string) => messages.find((message) => message.body === body)?.id;
  await consumer.send(`RDY 0\nFIN ${id("1")}\nFIN ${id("three")}\nREQ ${id("two")} 1800000\nNOP\n`);

  using importing = await RawClient.connect(nsqd.tcpAddress);
  await expectOk(importing, "SUB imported c\n");
  await importing.send("RDY 2\n");
  await importing.message();
  await importing.message();
  await importing.send(`RDY 0\nREQ ${second.id} 1800000\nNOP\n`);

  // Whatever was sent before has been done when this is answered.
  await expectOk(client, pub("own", "and another"));
  console.log(`made at ${Date.now()}`);
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} was answered by ${response.status} ${text}`);
}

async function expectOk(client: RawClient, command: string | Uint8Array): Promise<void> {
  const answer = await client.ask(command);
  if (answer !== "OK") throw new Error(`answered by ${answer}`);
}

if (import.meta.main) {
  const [folder, ...command] = Deno.args;
  await make(folder, command.length > 0 ? command : nsqdCommand());
}
