/**
 * go-nsq, NSQ's own client library for Go, against the server under test.
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
  workloadFor,
} from "./workload.ts";

for (const layers of LAYERS) {
  const name = `go-nsq finishes each of ${messagesFor(layers)} messages once (${describeLayers(layers)})`;

  interopTest(name, buildProgram, async (folder) => {
    const made = await certificates();
    await using nsqd = await startNsqd({ args: flagsFor(layers, made) });
    const workload = workloadFor(nsqd, { topic: "go_nsq", layers, certificates: made });

    await nsqd.run(async () => {
      const program = `${folder.path}/roundtrip`;
      const { stdout } = await runProgram(program, { args: [JSON.stringify(workload)] });

      assertClientReport(stdout, workload);
      await assertChannelDone(nsqd, workload);
    });
    await assertUpgraded(nsqd, layers);
  });
}

/** A folder with the built program; Go fetches the locked modules and keeps what it has built for the next time. */
async function buildProgram(): Promise<TempFolder> {
  const source = fileURLToPath(new URL("./go_nsq/", import.meta.url));
  const env = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly", CGO_ENABLED: "0" };
  await runProgram("go", { args: ["version"], env });
  const folder = await TempFolder.make();
  try {
    await runProgram("go", {
      args: ["build", "-buildvcs=false", "-o", `${folder.path}/roundtrip`, "."],
      cwd: source,
      env,
    });
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw MissingError.because("go-nsq, built by Go", error);
  }
}
