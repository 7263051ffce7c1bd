/**
 * nsqjs, the client for Node.js, run by Node.js from npm's package, against the server under test.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { certificates } from "../support/certificates.ts";
import { interopTest, MissingError, runProgram, TempFolder } from "../support/interop.ts";
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

  interopTest(name, installNsqjs, async (folder) => {
    const made = await certificates();
    await using nsqd = await startNsqd({ args: flagsFor(layers, made) });
    const workload = workloadFor(nsqd, { topic: "nsqjs", layers, certificates: made });

    await nsqd.run(async () => {
      const { stdout } = await runRoundtrip(folder, workload);

      assertClientReport(stdout, workload);
      await assertChannelDone(nsqd, workload);
    });
    assertUpgraded(nsqd, layers);
  });
}

/** A folder with the script and the locked packages, without their install scripts. */
async function installNsqjs(): Promise<TempFolder> {
  const source = fileURLToPath(new URL("./nsqjs/", import.meta.url));
  await runProgram("node", { args: ["--version"] });
  const folder = await TempFolder.make();
  try {
    for (const file of ["package.json", "package-lock.json", "roundtrip.js"]) {
      await Deno.copyFile(`${source}${file}`, `${folder.path}/${file}`);
    }
    // Without a network npm would try for minutes.
    const network = ["--prefer-offline", "--fetch-retries=0", "--fetch-timeout=10000"];
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...network];
    await runProgram("npm", { args, cwd: folder.path });
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw MissingError.because("nsqjs from npm", error);
  }
}

async function runRoundtrip(folder: TempFolder, workload: Workload) {
  const args = ["roundtrip.js", JSON.stringify(workload)];
  return await runProgram("node", { args, cwd: folder.path, timeoutMs: 20_000 });
}
