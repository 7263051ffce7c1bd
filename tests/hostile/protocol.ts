/**
 * Attacks on nsqd's TCP port.
 *
 * @module
 */

import { constants, deflateRawSync } from "node:zlib";
import { i32, identify, join, MAGIC, mpub, pub, withBody } from "../support/frames.ts";
import type { Random } from "../support/random.ts";
import type { HostileScenario, Target } from "./scenario.ts";
import { crowd, stranger } from "./strangers.ts";

const KIB = 1024;
const STRANGERS = 20;
/** Longer than what fits into a line, and than what IDENTIFY and AUTH may be. */
const LONG_NAME = "\xff".repeat(16_000);
const LARGE = 5 * KIB * KIB;
const UNKNOWN_ID = "0".repeat(16);

/** Who announces much, sends little and stays. */
const HALF_COMMANDS: readonly (readonly (string | Uint8Array)[])[] = [
  ["  "],
  [MAGIC, "PUB t\n", i32(1_000_000), "x"],
  [MAGIC, "MPUB t\n", i32(LARGE), i32(1_000_000), i32(1)],
  [MAGIC, "IDENTIFY\n", i32(60_000), "{"],
  [MAGIC, "AUTH\n", i32(60_000)],
  [MAGIC, "x".repeat(16_000)],
];

const BAD_COMMANDS: readonly (readonly (string | Uint8Array)[])[] = [
  ["HTTP"],
  [MAGIC, "PUB \0\n", i32(1), "x"],
  [MAGIC, `PUB ${LONG_NAME}\n`, i32(1), "x"],
  [MAGIC, `SUB t ${LONG_NAME}\n`],
  [MAGIC, `${LONG_NAME}\n`],
  [MAGIC, `${LONG_NAME}${LONG_NAME}`],
  [MAGIC, "PUB t\n", i32(-1)],
  [MAGIC, "PUB t\n", i32(2 ** 31 - 1)],
  [MAGIC, "MPUB t\n", i32(8), i32(2 ** 31 - 1), i32(1)],
  [MAGIC, "IDENTIFY\n", i32(LARGE)],
  [MAGIC, withBody("IDENTIFY", "[".repeat(60_000))],
  [MAGIC, withBody("IDENTIFY", '{"a":'.repeat(10_000))],
  [MAGIC, withBody("IDENTIFY", '{"client_id":1,"client_id":"a"}')],
  [MAGIC, withBody("AUTH", new Uint8Array(60_000).fill(0xff))],
  [MAGIC, "AUTH\n", i32(LARGE)],
  [MAGIC, `SUB t c\n${`FIN ${UNKNOWN_ID}\n`.repeat(2000)}RDY -1\n`],
  [MAGIC, `SUB t c\n${`REQ ${UNKNOWN_ID} 99999999999\n`.repeat(2000)}RDY 2501\n`],
];

const NOT_COMPRESSED = new Uint8Array(64 * KIB).fill(0xff);
const asked = (features: Readonly<Record<string, boolean>>) =>
  identify({ feature_negotiation: true, ...features });

/** The scenarios. */
export const PROTOCOL_SCENARIOS: readonly HostileScenario[] = [
  {
    name: "commands that are none, too long, too large",
    program: "nsqd",
    attack: ({ tcpAddress }) =>
      crowd(STRANGERS, async (i) => {
        for (const parts of BAD_COMMANDS) {
          await stranger(tcpAddress, parts, i % 2 === 0 ? "refused" : "closed");
        }
      }),
  },
  {
    name: "halves of commands, and clients that vanish",
    program: "nsqd",
    args: ["--command-timeout=500ms", "--handshake-timeout=500ms"],
    attack: ({ tcpAddress }) =>
      crowd(STRANGERS, async (i) => {
        for (const parts of HALF_COMMANDS) {
          await stranger(tcpAddress, parts, i % 2 === 0 ? "refused" : "vanishing");
        }
      }),
  },
  {
    name: "what is compressed to nothing, and what is not compressed",
    program: "nsqd",
    attack: ({ tcpAddress }) =>
      crowd(5, async () => {
        const nops = deflateRawSync("NOP\n".repeat(KIB * KIB), { finishFlush: constants.Z_SYNC_FLUSH });
        await stranger(tcpAddress, [MAGIC, asked({ deflate: true }), nops], "closed");
        await stranger(tcpAddress, [MAGIC, asked({ deflate: true }), NOT_COMPRESSED]);
        await stranger(tcpAddress, [MAGIC, asked({ snappy: true }), NOT_COMPRESSED]);
        await stranger(tcpAddress, [MAGIC, asked({ deflate: true, snappy: true })]);
      }),
  },
  {
    name: "consumers that do not read, and go",
    program: "nsqd",
    attack: ({ tcpAddress }) =>
      crowd(STRANGERS, async (i) => {
        const messages = Array.from({ length: 100 }, () => new Uint8Array(10 * KIB));
        const channel = `c${i}#ephemeral`;
        await stranger(
          tcpAddress,
          [MAGIC, `SUB hostile ${channel}\nRDY 2500\n`, mpub("hostile", messages)],
          "vanishing",
        );
      }),
  },
  { name: "commands with bytes changed", program: "nsqd", attack: attackWithDamage },
];

/** Whole conversations, each with a few bytes changed. */
async function attackWithDamage({ tcpAddress }: Target, random: Random): Promise<void> {
  const conversation = join(
    MAGIC,
    identify({ feature_negotiation: true, heartbeat_interval: 1000 }),
    pub("damaged", "x".repeat(100)),
    mpub("damaged", ["a", "b"]),
    withBody("DPUB damaged 10", "later"),
    "SUB damaged c#ephemeral\nRDY 10\n",
    `FIN ${UNKNOWN_ID}\nREQ ${UNKNOWN_ID} 0\nTOUCH ${UNKNOWN_ID}\nNOP\nCLS\n`,
  );
  for (let round = 0; round < 20; round++) {
    await crowd(5, async () => {
      const damaged = conversation.slice(0, random.below(conversation.length) + 1);
      for (let i = 0; i < 3; i++) damaged[random.below(damaged.length)] = random.below(256);
      await stranger(tcpAddress, [damaged], random.below(2) === 0 ? "closed" : "vanishing");
    });
  }
}
