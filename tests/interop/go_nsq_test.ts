/**
 * go-nsq, NSQ's own client library for Go, against the server under test.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { interopTest, MissingError, runProgram, TempFolder } from "../support/interop.ts";
import { startNsqd } from "../support/nsqd_process.ts";
import { assertChannelDone, assertClientReport, assertCompressed, workloadFor } from "./workload.ts";

for (const compression of ["none", "deflate", "snappy"] as const) {
  const messages = compression === "none" ? 10_000 : 2_000;
  const name = `go-nsq finishes each of ${messages} messages once (compression: ${compression})`;

  interopTest(name, buildProgram, async (folder) => {
    await using nsqd = await startNsqd();
    const workload = workloadFor(nsqd, { topic: "go_nsq", messages, compression });

    await nsqd.run(async () => {
      const program = `${folder.path}/roundtrip`;
      const { stdout } = await runProgram(program, { args: [JSON.stringify(workload)], timeoutMs: 20_000 });

      assertClientReport(stdout, workload);
      await assertChannelDone(nsqd, workload);
    });
    assertCompressed(nsqd, workload);
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
      timeoutMs: 120_000,
    });
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw MissingError.because("go-nsq, built by Go", error);
  }
}
