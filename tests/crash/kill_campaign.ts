/**
 * Kills a server at random moments, again and again, and looks whether anything is lost: rounds of work, SIGKILL,
 * restart and check, on the same data path, so that a file that a kill has broken is met again, and now and then on a
 * fresh one.
 *
 *     deno task crash                          500 rounds
 *     deno task crash --seed=17 --rounds=1     the plan of one round again; what meets it is chance
 *
 * The server is ours, unless `DENOSQ_TEST_COMMAND` names another one. A round that fails prints its seed and what is
 * missing, and leaves its data path.
 *
 * @module
 */

import { PATIENCE_MS } from "../support/eventually.ts";
import { Flags } from "../support/flags.ts";
import { Random } from "../support/random.ts";
import { planRound, planServer } from "./kill_plan.ts";
import type { RecordCounts } from "./kill_record.ts";
import { KillPath, LEFT_SUFFIX, LossError, type PathCounts } from "./kill_round.ts";

const USAGE = `usage: deno task crash [flags]

--seed N      of the first round (a random one)
--rounds N    how many (500)`;

/** How a campaign is run. */
export interface CampaignOptions {
  /** Of the first round; each round counts it up. */
  readonly seed: number;
  readonly rounds: number;
  /** The most time of a round before the kill. @default {1500} */
  readonly workMsMax?: number;
  /** The most messages of which a server is to have its hands full. @default {2000} */
  readonly bulkMax?: number;
  /** Wait for messages that are deferred for more than a minute, instead of counting them only. @default {false} */
  readonly awaitLongDeferrals?: boolean;
  /** Which topics must lose nothing; by default those that are not in memory. */
  readonly durable?: (topic: string) => boolean;
  /** How long it may take until all that is left is delivered. @default {PATIENCE_MS} */
  readonly drainTimeoutMs?: number;
  /** How long a start may take, in ms: what it reads is bounded by what is unfinished. @default {Infinity} */
  readonly startMsMax?: number;
  /** Told of each round. */
  readonly onRound?: (round: number, counts: RecordCounts) => void;
}

/** What a campaign has seen. */
export interface CampaignReport extends RecordCounts {
  readonly rounds: number;
  readonly paths: number;
  readonly kills: number;
  readonly stops: number;
  readonly tornTails: number;
  /** Segments that were being rewritten when the server was killed. */
  readonly cutRewrites: number;
  /** Rounds in which the server had much of something. */
  readonly bulks: number;
  /** Of the start, from the first line of the log until it listens, in ms. */
  readonly startMedianMs: number;
  readonly startMaxMs: number;
}

/** Rounds on one data path, one of which has long deferrals in its first half. */
const ROUNDS_OF_PATH = [2, 5, 12, 40];
const LONG_DEFERRALS_FROM = 10;

/**
 * Runs a campaign.
 *
 * @throws {LossError} When a round fails; the message says how to see it again.
 */
export async function killCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { seed, rounds, workMsMax = 1500, bulkMax = 2000, startMsMax = Infinity } = options;
  const pathOptions = {
    durable: options.durable ?? ((topic: string) => !topic.startsWith("memory")),
    drainTimeoutMs: options.drainTimeoutMs ?? PATIENCE_MS,
  };
  const random = new Random(seed);
  const paths: PathFigures[] = [];
  for (let round = 0; round < rounds;) {
    const count = Math.min(random.pick(ROUNDS_OF_PATH), rounds - round);
    const path = new KillPath(await Deno.makeTempDir({ prefix: "denosq_kill_" }), pathOptions);
    let at = round;
    try {
      await path.start(planServer(seed + at));
      for (; at < round + count; at++) {
        const longDeferrals = count >= LONG_DEFERRALS_FROM && at < round + count / 2;
        await path.round(planRound(seed + at, { workMsMax, bulkMax, longDeferrals }));
        options.onRound?.(at, path.record.counts);
      }
      if (options.awaitLongDeferrals) await path.deliverRest();
      await path.stop();
      const slow = path.counts.startsMs.find((ms) => ms > startMsMax);
      if (slow !== undefined) throw new LossError(`a start took ${slow} ms`, { path });
    } catch (error) {
      await path.abandon();
      if (!(error instanceof LossError)) throw error;
      throw new LossError(
        `round ${at - round} on this data path, with seed ${seed + at}: ${error.message}\n` +
          `data path: ${path.dataPath}, as the last kill left it: ${path.dataPath}${LEFT_SUFFIX}\nagain: deno task crash --seed=${
            seed + round
          } --rounds=${at - round + 1}`,
        { cause: error, path },
      );
    }
    await path.remove();
    paths.push({ ...path.counts, messages: path.record.counts });
    round = at;
  }
  return reportOf(paths, rounds);
}

/** What is left of a data path. */
interface PathFigures extends PathCounts {
  readonly messages: RecordCounts;
}

function reportOf(paths: readonly PathFigures[], rounds: number): CampaignReport {
  const starts = paths.flatMap(({ startsMs }) => startsMs).sort((a, b) => a - b);
  const total = (key: keyof RecordCounts) => paths.reduce((sum, { messages }) => sum + messages[key], 0);
  const totalOf = (key: "kills" | "stops" | "tornTails" | "cutRewrites" | "bulks") =>
    paths.reduce((sum, path) => sum + path[key], 0);
  return {
    rounds,
    paths: paths.length,
    kills: totalOf("kills"),
    stops: totalOf("stops"),
    tornTails: totalOf("tornTails"),
    cutRewrites: totalOf("cutRewrites"),
    bulks: totalOf("bulks"),
    startMedianMs: starts[starts.length >> 1],
    startMaxMs: starts[starts.length - 1],
    sent: total("sent"),
    acked: total("acked"),
    unanswered: total("unanswered"),
    delivered: total("delivered"),
    redelivered: total("redelivered"),
    finished: total("finished"),
    requeued: total("requeued"),
    deferred: total("deferred"),
    toYoungChannel: total("toYoungChannel"),
    unansweredDelivered: total("unansweredDelivered"),
  };
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["seed", "rounds"] });
  const seed = flags.count("seed") ?? Date.now() % 1_000_000;
  const rounds = flags.count("rounds") ?? 500;
  if (rounds < 1) flags.refuse("--rounds must be at least 1");
  console.log(`${rounds} rounds from seed ${seed}`);
  try {
    const report = await killCampaign({
      seed,
      rounds,
      workMsMax: 2500,
      bulkMax: 12_000,
      awaitLongDeferrals: true,
      startMsMax: 5000,
      onRound: (round, { acked, delivered }) => {
        if (round % 10 === 9) {
          console.log(`round ${round + 1}: ${acked} acknowledged, ${delivered} delivered on this data path`);
        }
      },
    });
    console.log(Object.entries(report).map(([name, value]) => `${name}: ${value}`).join("\n"));
  } catch (error) {
    console.error(error instanceof LossError ? error.message : error);
    Deno.exit(1);
  }
}
