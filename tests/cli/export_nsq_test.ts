import { assertEquals } from "@std/assert";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { namesIn } from "../support/go_data_path.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

Deno.test("denosq export-nsq ends with 0 when it has written the folder, and with 1 and a line when it cannot", async () => {
  await withDataPath(async (folder) => {
    Deno.mkdirSync(`${folder}/data`);
    const args = [`--data-path=${folder}/data`, `--to=${folder}/go`, "--log-level=warn", "--log-prefix="];

    assertEquals(await run(args), { code: 0, lines: [] });
    // A log that nobody waits for is written to its end before the process ends.
    assertEquals(await run(args), {
      code: 1,
      lines: [`FATAL: failed to export - ${folder}/go is not empty`],
    });
    assertEquals(await run([]), { code: 1, lines: ["export-nsq: --to must name the folder to write to"] });

    assertEquals(namesIn(DENO_FILES, `${folder}/go`), ["nsqd.dat"]);
  });
});

/** Runs it as a process; returns its exit code and what it has written to its error output, without times. */
async function run(args: readonly string[]): Promise<{ code: number; lines: string[] }> {
  await using program = new ChildDaemon([...programCommand("export-nsq"), ...args]);
  const code = await program.ended();
  const lines = program.log.split("\n").filter((line) => line !== "");
  return { code, lines: lines.map((line) => line.replace(/^[\d/]+ [\d:.]+ /, "")) };
}
