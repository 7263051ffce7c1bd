/**
 * nsqjs, the client for Node.js, run by Node.js from npm's package, against the server under test.
 *
 * @module
 */

import { certificates } from "../support/certificates.ts";
import { interopTest, runProgram, type TempFolder } from "../support/interop.ts";
import { installNsqjs } from "../support/nsqjs.ts";
import { startNsqd } from "../support/nsqd_process.ts";
import {
  assertChannelDone,
  assertClientReport,
  assertUpgraded,
  describeLayers,
  flagsFor,
  LAYERS,
  messagesFor,
  type Workload,
  workloadFor,
} from "./workload.ts";

for (const layers of LAYERS) {
  const name = `nsqjs finishes each of ${messagesFor(layers)} messages once (${describeLayers(layers)})`;

  interopTest(name, () => installNsqjs("roundtrip.js"), async (folder) => {
    const made = await certificates();
    await using nsqd = await startNsqd({ args: flagsFor(layers, made) });
    const workload = workloadFor(nsqd, { topic: "nsqjs", layers, certificates: made });

    await nsqd.run(async () => {
      const { stdout } = await runRoundtrip(folder, workload);

      assertClientReport(stdout, workload);
      await assertChannelDone(nsqd, workload);
    });
    await assertUpgraded(nsqd, layers);
  });
}

async function runRoundtrip(folder: TempFolder, workload: Workload) {
  const args = ["roundtrip.js", JSON.stringify(workload)];
  return await runProgram("node", { args, cwd: folder.path });
}
