/**
 * One publisher sends a very large MPUB; what do others wait for meanwhile?
 *
 * @module
 */

import { fill } from "../fill_and_drain.ts";
import { describeMs } from "../load_report.ts";
import { LoadPublisher } from "../load_publisher.ts";
import { pause } from "../phase.ts";
import { describeLongestPub, type Finding, type Play, type StallCase } from "./stall_case.ts";

const MIB = 2 ** 20;
const ROUNDS = 5;
/** Between two rounds: nobody is to wait for two of them. */
const PAUSE_MS = 300;
/** Before them, so that the server's code is compiled as it is on any other day. */
const WARM_UP = { topic: "warm_up#ephemeral", messages: 200_000, sizeBytes: 200 };
/** Six for each MiB: what is to be reached grows with the size, and no faster. */
const GOAL_MS_PER_MIB = 6;

/** MPUBs of messages of 200 B, and of 1 B. */
export const MPUB_CASE: StallCase = {
  name: "mpub",
  title: "Large MPUBs",
  diskBytes: 200 * MIB,
  async play(play) {
    const findings: Finding[] = [];
    for (const sizeBytes of [200, 1]) {
      for (const mib of play.mpubMib) findings.push(...await playSize(play, mib, sizeBytes));
    }
    return findings;
  },
};

async function playSize(play: Play, mib: number, sizeBytes: number): Promise<Finding[]> {
  const bodyBytes = mib * MIB;
  await using stage = await play.open({ any: [`--max-body-size=${bodyBytes}`] });
  const batch = Math.floor((bodyBytes - 4) / (4 + sizeBytes));
  const options = { topic: "large", sizeBytes, batch, window: 1, stamped: false, messages: batch };
  await stage.phase("warm up", () => fill(stage.tcpAddress, WARM_UP));
  const name = `MPUB of ${mib} MiB of ${sizeBytes} B messages`;
  let longestMs = 0;
  const phase = await stage.phase(`${ROUNDS} × ${name}`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      using publisher = await LoadPublisher.open(stage.tcpAddress, options);
      await publisher.run(new AbortController().signal);
      longestMs = Math.max(longestMs, publisher.roundTrips.summary()?.maxMs ?? NaN);
      await pause(PAUSE_MS);
    }
  });
  return [
    {
      measure: `${name}: longest PUB of another connection`,
      value: describeLongestPub(phase),
      goal: `${GOAL_MS_PER_MIB * mib} ms`,
    },
    {
      measure: `${name}: its own answer`,
      value: describeMs(longestMs),
      goal: "",
    },
  ];
}
