/**
 * Attacks on nsqlookupd's TCP port.
 *
 * @module
 */

import { i32, join } from "../support/frames.ts";
import type { HostileScenario } from "./scenario.ts";
import { crowd, stranger } from "./strangers.ts";

const MAGIC = "  V1";
const STRANGERS = 10;
const LONG_NAME = "\xff".repeat(16_000);
const NAMES_MAX = 2000;

const NODE = '{"broadcast_address":"10.0.0.1","hostname":"h","tcp_port":1,"http_port":2,"version":"1"}';
const introduction = (text: string) => join("IDENTIFY\n", i32(text.length), text);

const BAD_COMMANDS: readonly (readonly (string | Uint8Array)[])[] = [
  ["  V2"],
  [MAGIC, "IDENTIFY\n", i32(-1)],
  [MAGIC, "IDENTIFY\n", i32(2 ** 31 - 1)],
  [MAGIC, introduction("[".repeat(8000))],
  [MAGIC, introduction("null")],
  [MAGIC, introduction('{"broadcast_address":"a\\nb"}')],
  [MAGIC, introduction(NODE), introduction(NODE)],
  [MAGIC, introduction(NODE), `REGISTER ${LONG_NAME}\n`],
  [MAGIC, introduction(NODE), "REGISTER \n"],
  [MAGIC, "REGISTER t c\n"],
  [MAGIC, `${LONG_NAME}${LONG_NAME}`],
  [MAGIC, `${LONG_NAME}\n`],
];

/** The scenarios. */
export const LOOKUP_SCENARIOS: readonly HostileScenario[] = [
  {
    name: "commands that are none, too long, too large",
    program: "nsqlookupd",
    attack: ({ tcpAddress }) =>
      crowd(STRANGERS, async (i) => {
        for (const parts of BAD_COMMANDS) {
          await stranger(tcpAddress, parts, i % 2 === 0 ? "refused" : "closed");
        }
      }),
  },
  {
    name: "names until it is full, and more",
    program: "nsqlookupd",
    args: [`--max-registrations=${NAMES_MAX}`, `--max-registrations-per-connection=${NAMES_MAX / 2}`],
    attack: ({ tcpAddress }) =>
      crowd(STRANGERS, async (i) => {
        const names = Array.from({ length: NAMES_MAX }, (_, j) => `REGISTER s${i}_${j} c${j}\n`);
        await stranger(
          tcpAddress,
          [MAGIC, introduction(NODE), names.join("")],
          i % 2 === 0 ? "closed" : "vanishing",
        );
      }),
  },
  {
    name: "halves of commands, and nodes that do not read",
    program: "nsqlookupd",
    args: ["--command-timeout=500ms", "--handshake-timeout=500ms", "--write-timeout=1s"],
    attack: ({ tcpAddress }) =>
      crowd(STRANGERS, async (i) => {
        await stranger(tcpAddress, ["  "], "refused");
        await stranger(tcpAddress, [MAGIC, "IDENTIFY\n", i32(4000), "{"], "refused");
        await stranger(
          tcpAddress,
          [MAGIC, introduction(NODE), "PING\n".repeat(20_000)],
          i % 2 ? "vanishing" : "closed",
        );
      }),
  },
];
