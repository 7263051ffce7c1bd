/**
 * Answering leases: each is of a message of some chunk, and those of one chunk are answered by one change of its state.
 *
 * @module
 */
import { type LeaseProblem, parseLease } from "../queue/lease.ts";
import type { LeaseAnswer } from "../queue/queue.ts";
import type { Tally } from "./channel_chunk.ts";
import type { ChunkState, Fate } from "./chunk_state.ts";
import type { KvChannel } from "./kv_channel.ts";
import { parseMessageName } from "./message_name.ts";

/** Chunks whose leases are answered at a time. */
const ANSWERED_MAX = 32;

/** How a lease is answered; the result is why it cannot be. */
export type Answering = (state: ChunkState, lease: LeaseAt, tally: Tally) => LeaseProblem | undefined;

/** A lease, and where its message is. */
export interface LeaseAt {
  readonly lease: string;
  readonly index: number;
  readonly attempt: number;
}

/** Answers leases, chunk by chunk. @throws {HttpError} If the database cannot be used; some may have been answered. */
export async function answerLeases(
  channel: KvChannel,
  { leases, epoch: ours }: { readonly leases: readonly string[]; readonly epoch: string },
  answering: Answering,
): Promise<LeaseAnswer> {
  const problems = new Map<string, LeaseProblem>();
  const chunks = new Map<string, LeaseAt[]>();
  for (const lease of leases) {
    const parts = parseLease(lease);
    if (parts?.epoch !== ours) {
      problems.set(lease, "UNKNOWN");
      continue;
    }
    const { versionstamp, index } = parseMessageName(parts.id);
    const others = chunks.get(versionstamp) ?? [];
    others.push({ lease, index, attempt: parts.attempt });
    chunks.set(versionstamp, others);
  }
  const waiting = [...chunks];
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [versionstamp, some] = next;
      const found = await answerIn(channel, { versionstamp, leases: some }, answering);
      some.forEach(({ lease }, i) => {
        const problem = found[i];
        if (problem !== undefined) problems.set(lease, problem);
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(waiting.length, ANSWERED_MAX) }, work));
  const failed = leases.flatMap((lease) => {
    const problem = problems.get(lease);
    return problem === undefined ? [] : [{ lease, problem }];
  });
  return { done: leases.length - failed.length, failed };
}

/** Answers the leases of one chunk. */
async function answerIn(
  channel: KvChannel,
  { versionstamp, leases }: { versionstamp: string; leases: readonly LeaseAt[] },
  answering: Answering,
): Promise<readonly (LeaseProblem | undefined)[]> {
  const outcome = await channel.chunks.of(versionstamp).change<"gone" | (LeaseProblem | undefined)[]>({
    apply: (state, tally) => leases.map((lease) => answering(state, lease, tally)),
    gone: () => "gone",
    isDoubtful: (found) => found !== "gone" && found.some((problem) => problem !== undefined),
  });
  if (outcome !== "gone") return outcome;
  const isKnown = await channel.mayHaveHad(versionstamp);
  return leases.map(() => isKnown ? "FINISHED" : "UNKNOWN");
}

/** Why a lease cannot be given back or prolonged, if it cannot. */
export function problemOf(fate: Fate): LeaseProblem | undefined {
  if (fate === "held") return undefined;
  if (fate === "finished") return "FINISHED";
  return fate === "unknown" ? "UNKNOWN" : "EXPIRED";
}
