/**
 * Attacks that use up what a daemon has to share out: files and connections, memory, the disk, and time. What is used up
 * may be refused to others; what they were told that it is kept may not be lost, and all is well when there is room again.
 *
 * @module
 */

import { assertMatch, fail } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { MAGIC, mpub, pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import type { Random } from "../support/random.ts";
import type { Bystanders, HostileScenario, Target } from "./scenario.ts";
import { crowd, stranger } from "./strangers.ts";

const FILES_MAX = 150;
const CONNECTIONS = 300;
/** Whoever works with it needs new files all the while. */
const FILES = { nsqd: ["--durability=disk", "--max-bytes-per-file=1000"], nsqlookupd: [] };

/** Three times what an idle nsqd takes. */
const MEMORY_MAX = 300_000_000;
const TWO_LARGE = Array<Uint8Array>(2).fill(new Uint8Array(1_000_000));
const PUBLISHERS = 4;
/** More than there is room for, in memory and on the disk. */
const PUBLISHES_MAX = 300;
const EPHEMERAL_TOPIC = "hostile#ephemeral";
const TOPIC = "hostile";

/** The smaller they are, the more of the disk they find. */
const BODIES = [100_000, 10_000, 1000, 10].map((length) => new Uint8Array(length));

const HEARTBEAT_MS = 1500;
/** Longer than two heartbeats of those who work, and than the timeouts of their messages and of idle HTTP. */
const STILL_MS = 2 * HEARTBEAT_MS + 100;

/** The scenarios. */
export const EXHAUSTION_SCENARIOS: readonly HostileScenario[] = [
  ...(["nsqd", "nsqlookupd"] as const).flatMap((program): HostileScenario[] => [
    {
      name: "exhaustion: more connections than files may be open",
      program,
      filesMax: FILES_MAX,
      args: ["--handshake-timeout=500ms", ...FILES[program]],
      attack: ({ tcpAddress }) => crowd(CONNECTIONS, (i) => stranger(tcpAddress, i % 2 === 0 ? [] : ["  "])),
    },
    {
      name: "exhaustion: more HTTP connections than files may be open",
      program,
      filesMax: FILES_MAX,
      args: ["--http-header-timeout=500ms", ...FILES[program]],
      attack: ({ httpAddress }) =>
        crowd(CONNECTIONS, (i) => stranger(httpAddress, i % 2 === 0 ? [] : ["GET /ping HTTP/1.1\r\nHos"])),
    },
  ]),
  {
    name: "exhaustion: messages that nobody consumes, until the memory is full",
    program: "nsqd",
    args: [`--max-memory=${MEMORY_MAX}`],
    mayRefuse: true,
    attack: (target, _random, bystanders) =>
      exhaust(target, bystanders, () =>
        crowd(PUBLISHERS, async () => {
          await stranger(
            target.tcpAddress,
            [MAGIC, ...Array<Uint8Array>(5).fill(mpub(TOPIC, TWO_LARGE))],
            "closed",
          );
          // Only what is ephemeral cannot go to the disk.
          await publishUntilRefused(target, mpub(EPHEMERAL_TOPIC, TWO_LARGE));
        })),
  },
  {
    name: "exhaustion: messages that nobody consumes, until the disk is full",
    program: "nsqd",
    diskSize: "8m",
    args: ["--durability=disk", "--sync-timeout=100ms"],
    mayRefuse: true,
    attack: (target, _random, bystanders) =>
      exhaust(target, bystanders, async () => {
        for (const body of BODIES) await publishUntilRefused(target, pub(TOPIC, body));
      }),
  },
  {
    name: "exhaustion: it stands still for longer than clients may",
    program: "nsqd",
    args: ["--msg-timeout=2500ms", "--http-idle-timeout=2500ms"],
    heartbeatMs: HEARTBEAT_MS,
    attack: standStill,
  },
];

/** Fills until others are refused, over TCP and over HTTP, by turns, and makes room then. */
async function exhaust(target: Target, bystanders: Bystanders, fill: () => Promise<void>): Promise<void> {
  const before = bystanders.refusedCount;
  await eventually("others are refused", async () => {
    await fill();
    return bystanders.refusedCount >= before + 2;
  });
  for (const topic of [TOPIC, EPHEMERAL_TOPIC]) {
    await request(target, "POST", `topic/delete?topic=${encodeURIComponent(topic)}`);
  }
  await eventually("there is room", async () => await request(target, "GET", "ping") === "OK");
}

/** Publishes the same again and again until it is refused. */
async function publishUntilRefused({ tcpAddress }: Target, command: Uint8Array): Promise<void> {
  using client = await RawClient.connect(tcpAddress);
  for (let i = 0; i < PUBLISHES_MAX; i++) {
    const answer = await client.ask(command);
    if (answer === "OK") continue;
    assertMatch(answer, /^E_M?PUB_FAILED M?PUB failed /);
    return;
  }
  fail("There is no end of what is taken");
}

async function request({ httpAddress }: Target, method: string, path: string): Promise<string> {
  const response = await fetch(`http://${httpAddress}/${path}`, { method });
  return await response.text();
}

/** Stops it, while whoever works with it goes on, on another thread; and waits until it serves them again. */
async function standStill({ pid }: Target, _random: Random, bystanders: Bystanders): Promise<void> {
  const before = bystanders.servedCount;
  Deno.kill(pid, "SIGSTOP");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STILL_MS);
  Deno.kill(pid, "SIGCONT");
  // One may have been served when it was stopped, and another not have been told of yet.
  await eventually("others are served", () => bystanders.servedCount >= before + 3);
}
