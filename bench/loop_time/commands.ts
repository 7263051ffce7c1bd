/**
 * Commands of protocol V2, each at the worst size that nsqd's default limits admit.
 *
 * @module
 */

import { i32, identify, join, MAGIC, mpub, pub, withBody } from "../../tests/support/frames.ts";
import type { LoopCase } from "./loop_case.ts";
import { connect, exchange, exchangeOnce, type Part } from "./wire.ts";

const KIB = 1024;
const MIB = KIB * KIB;
/** Of `--max-msg-size`, `--max-body-size`, a line, and the bodies of IDENTIFY and AUTH. */
const MESSAGE_SIZE_MAX = MIB;
const BODY_SIZE_MAX = 5 * MIB;
const LINE_LENGTH_MAX = 16 * KIB;
const INTRODUCTION_SIZE_MAX = 64 * KIB;
/** Messages of one byte in the largest MPUB. */
const MPUB_COUNT_MAX = Math.floor((BODY_SIZE_MAX - 4) / 5);
/** Short commands that are sent at once. */
const PIPELINED = 20_000;
const RDY_MAX = 2500;
const NO_HEARTBEATS = identify({ heartbeat_interval: -1 });
/** A response `OK`, and what a message has beside its body, in bytes. */
const OK_LENGTH = 10;
const MESSAGE_OVERHEAD = 34;
const UNKNOWN_ID = "0".repeat(16);

/** The cases. */
export function commandCases(tcpAddress: string): LoopCase[] {
  const once = (name: string, ...parts: readonly Part[]): LoopCase => {
    const bytes = join(MAGIC, ...parts);
    return { name, play: async () => void await exchangeOnce(tcpAddress, [bytes, "BYE\n"]) };
  };
  const consumer = (name: string, bytes: Uint8Array): LoopCase => {
    const before = join(MAGIC, "SUB loop_time c#ephemeral\n");
    return { name, play: async () => void await exchangeOnce(tcpAddress, [before, bytes, "BYE\n"]) };
  };
  return [
    once("nothing but the magic"),
    once("unknown command of 16 KiB", "$".repeat(LINE_LENGTH_MAX - 2) + "\n"),
    once("line of 16 Ki words", "PUB" + " ".repeat(LINE_LENGTH_MAX - 8) + "\n"),
    once(
      "PUB to a name of 16 KiB, no UTF-8",
      "PUB " + "\xff".repeat(LINE_LENGTH_MAX - 8) + "\n",
      i32(1),
      "x",
    ),
    once("SUB to such a channel", "SUB t " + "\xff".repeat(LINE_LENGTH_MAX - 8) + "\n"),
    once("line that does not end", "$".repeat(LINE_LENGTH_MAX + 8)),
    once("NOP × 100,000", "NOP\n".repeat(100_000)),

    once("PUB of 1 MiB", pub("loop_time", new Uint8Array(MESSAGE_SIZE_MAX))),
    once("PUB of 1 byte × 20,000", join(...Array.from({ length: PIPELINED }, () => pub("loop_time", "x")))),
    once("DPUB of 1 MiB", withBody("DPUB loop_time 3600000", new Uint8Array(MESSAGE_SIZE_MAX))),
    once("MPUB of 5 MiB, messages of 1 MB", mpub("loop_time", manyOf(5, MIB - 16))),
    once("MPUB of 5 MiB, messages of 1 byte", mpubOfBytes(MPUB_COUNT_MAX)),
    once("MPUB of 5 MiB whose last message is too large", brokenMpub()),

    once(
      "IDENTIFY of 64 KiB: a long name",
      identityOf({ client_id: "x".repeat(INTRODUCTION_SIZE_MAX - 32) }),
    ),
    once("IDENTIFY of 64 KiB: escapes", identityText(`{"client_id":"${"\\u0001".repeat(10_900)}"}`)),
    once("IDENTIFY of 64 KiB: unknown keys", identityText(`{${manyKeys(7000)}}`)),
    once("IDENTIFY of 64 KiB: one key again", identityText(`{${'"snappy":true,'.repeat(4600)}"a":1}`)),
    once("IDENTIFY of 64 KiB: nested", identityText("[".repeat(INTRODUCTION_SIZE_MAX))),
    once(
      "IDENTIFY of 64 KiB: nested under a key",
      identityText(`{"a":${"[".repeat(32_000)}${"]".repeat(32_000)}}`),
    ),
    once("IDENTIFY × 1000", ...Array.from({ length: 1000 }, () => NO_HEARTBEATS)),

    consumer("FIN of what is not in flight × 20,000", join(`FIN ${UNKNOWN_ID}\n`.repeat(PIPELINED))),
    consumer("REQ of what is not in flight × 20,000", join(`REQ ${UNKNOWN_ID} 0\n`.repeat(PIPELINED))),
    consumer("TOUCH of what is not in flight × 20,000", join(`TOUCH ${UNKNOWN_ID}\n`.repeat(PIPELINED))),
    consumer("RDY × 20,000", join("RDY 2500\nRDY 0\n".repeat(PIPELINED / 2))),
    deliveryCase(tcpAddress, "2500 messages of 200 bytes, delivered and left", RDY_MAX, 200),
    deliveryCase(tcpAddress, "50 messages of 100 kB, delivered and left", 50, 100_000),
  ];
}

/** What is in flight goes back when the consumer goes. */
function deliveryCase(tcpAddress: string, name: string, count: number, size: number): LoopCase {
  const topic = "loop_time_delivery";
  const body = "x".repeat(size);
  return {
    name,
    prepare: async () => {
      const bytes = join(MAGIC, mpub(topic, manyOf(count, size).map(() => body)));
      await exchangeOnce(tcpAddress, [bytes], OK_LENGTH);
    },
    play: async () => {
      const connection = await connect(tcpAddress);
      const before = join(MAGIC, `SUB ${topic} c\nRDY ${RDY_MAX}\n`);
      await exchange(connection, [before], OK_LENGTH + count * (MESSAGE_OVERHEAD + size));
      connection.close();
    },
  };
}

function manyOf(count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(size));
}

/** Written by hand: as many arrays of one byte would take longer than all the rest. */
function mpubOfBytes(count: number): Uint8Array {
  const body = new Uint8Array(4 + 5 * count);
  new DataView(body.buffer).setInt32(0, count);
  for (let at = 4; at < body.length; at += 5) body[at + 3] = 1;
  return withBody("MPUB loop_time", body);
}

function brokenMpub(): Uint8Array {
  const command = mpubOfBytes(MPUB_COUNT_MAX);
  new DataView(command.buffer).setInt32(command.length - 5, MESSAGE_SIZE_MAX + 1);
  return command;
}

function identityOf(data: unknown): Uint8Array {
  return identityText(JSON.stringify(data));
}

function identityText(text: string): Uint8Array {
  return withBody("IDENTIFY", text.slice(0, INTRODUCTION_SIZE_MAX));
}

function manyKeys(count: number): string {
  return Array.from({ length: count }, (_, i) => `"k${i}":1`).join(",");
}
