/**
 * Random streams of protocol V2: commands as clients send them, then, in most streams, damage. All there is to
 * choose comes from the given sequence of random numbers.
 *
 * @module
 */

import { firstPosition, writeMessageId } from "../../src/protocol/message_id.ts";
import { FAKE_START_MS } from "../support/fake_clock.ts";
import { i32, identify, join, MAGIC, mpub, pub, textOf, withBody } from "../support/frames.ts";
import { NODE_ID } from "../support/nsqd_in_memory.ts";
import type { Random } from "../support/random.ts";

const COMMANDS_MAX = 30;
const TOPICS = ["t", "t", "t", "u", "e#ephemeral", "x".repeat(64)];
const ODD_TOPICS = ["x".repeat(65), "bad/name", "", "\xff"];
const CHANNELS = ["c", "c", "e#ephemeral", "bad name", "bad:name"];
/** Few, so that a stream often names messages that it has published and that were delivered. */
const MESSAGES_NAMED = 6;
/** Numbers that are in range for most commands, and those that are not. */
const NUMBERS = ["0", "0", "1", "2", "5", "1000", "2500"];
const ODD_NUMBERS = ["2501", "3600000", "3600001", "-1", "", "x", "99999999999999999999"];
/** Sizes at and beyond the limits, and of the wrong sign. */
const SIZES = [0, 1, 4, 5, -1, -2147483648, 2147483647, 1048576, 1048577, 5242880, 5242881];
const WHAT_CLIENTS_SAY = [
  {},
  { feature_negotiation: true },
  { client_id: "x", hostname: "y", feature_negotiation: true, msg_timeout: 1000, heartbeat_interval: 1000 },
  { heartbeat_interval: -1 },
  { output_buffer_size: -1, output_buffer_timeout: -1 },
  { msg_timeout: 1 },
  { client_id: 1 },
  { feature_negotiation: true, deflate: true, deflate_level: 3 },
  { feature_negotiation: true, deflate: true, snappy: true },
  [],
  null,
];

/** A stream. */
export function randomStream(random: Random): Uint8Array {
  if (random.oneIn(20)) return random.bytes(random.below(100));
  if (random.oneIn(20)) return join(MAGIC, random.bytes(random.below(20_000)));
  let stream: Uint8Array = join(MAGIC, ...randomCommands(random));
  for (let left = random.pick([0, 0, 0, 1, 1, 2, 5]); left > 0; left--) stream = damaged(random, stream);
  return stream;
}

function randomCommands(random: Random): Uint8Array[] {
  const commands: Uint8Array[] = [];
  if (random.oneIn(2)) commands.push(identify(random.pick(WHAT_CLIENTS_SAY)));
  if (random.oneIn(2)) commands.push(randomPublish(random, "t"));
  if (!random.oneIn(3)) commands.push(join("SUB t c\nRDY 3\n"));
  const count = random.below(COMMANDS_MAX);
  for (let i = 0; i < count; i++) commands.push(randomCommand(random));
  return commands;
}

function randomCommand(random: Random): Uint8Array {
  if (random.oneIn(30)) return oddCommand(random);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      return randomPublish(random, random.oneIn(4) ? random.pick(TOPICS) : "t");
    case 3:
    case 4:
    case 5:
      return line(random, `FIN ${randomId(random)}`);
    case 6:
      return line(random, `REQ ${randomId(random)} ${randomNumber(random)}`);
    case 7:
      return line(random, `TOUCH ${randomId(random)}`);
    case 8:
      return line(random, `RDY ${randomNumber(random)}`);
    default:
      return line(random, "NOP");
  }
}

/** One that mostly is the last, because it does not fit what was before. */
function oddCommand(random: Random): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return line(random, `SUB ${random.pick(TOPICS)} ${random.pick(CHANNELS)}`);
    case 1:
      return identify(random.pick(WHAT_CLIENTS_SAY));
    case 2:
      return withBody("AUTH", "secret");
    case 3:
      return randomPublish(random, random.pick(ODD_TOPICS));
    default:
      return line(random, random.pick(["CLS", "NOPE", "", "RDY", "FIN", "PUB", "NOP ".repeat(10)]));
  }
}

function randomPublish(random: Random, topic: string): Uint8Array {
  const body = () =>
    random.bytes(random.oneIn(10) ? random.below(5000) : random.below(40) + (random.oneIn(30) ? 0 : 1));
  switch (random.below(4)) {
    case 0:
      return mpub(topic, Array.from({ length: random.below(8) + (random.oneIn(20) ? 0 : 1) }, body));
    case 1:
      return withBody(`DPUB ${topic} ${randomNumber(random)}`, body());
    default:
      return pub(topic, body());
  }
}

function randomNumber(random: Random): string {
  return random.pick(random.oneIn(20) ? ODD_NUMBERS : NUMBERS);
}

/** The id of a message that may be there. */
function randomId(random: Random): string {
  if (random.oneIn(40)) return textOf(random.bytes(random.pick([0, 15, 16, 17]))).replaceAll("\n", " ");
  const id = new Uint8Array(16);
  writeMessageId(id, 0, firstPosition(FAKE_START_MS) + random.below(MESSAGES_NAMED), NODE_ID);
  return textOf(id);
}

function line(random: Random, text: string): Uint8Array {
  return join(text, random.oneIn(8) ? "\r\n" : "\n");
}

function damaged(random: Random, stream: Uint8Array): Uint8Array {
  const at = random.below(stream.length);
  const end = Math.min(at + 1 + random.below(30), stream.length);
  const [before, part, after] = [stream.subarray(0, at), stream.subarray(at, end), stream.subarray(end)];
  switch (random.below(8)) {
    case 0:
      return join(before, Uint8Array.of(stream[at] ^ 1 << random.below(8)), stream.subarray(at + 1));
    case 1:
      return join(before, after);
    case 2:
      return join(before, part, part, after);
    case 3:
      return join(before, random.bytes(random.below(20)), stream.subarray(at));
    case 4:
      return before;
    case 5:
      return join(before, "\n", stream.subarray(at));
    case 6:
      return join(before, "x".repeat(16_380 + random.below(10)), stream.subarray(at));
    default:
      return withOtherSize(random, stream);
  }
}

/** Another size in the place of one: four bytes after a line's end. */
function withOtherSize(random: Random, stream: Uint8Array): Uint8Array {
  const newline = stream.indexOf(10, random.below(stream.length));
  if (newline < 0 || newline + 5 > stream.length) return stream;
  return join(stream.subarray(0, newline + 1), i32(random.pick(SIZES)), stream.subarray(newline + 5));
}
