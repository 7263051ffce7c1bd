import { assertEquals } from "@std/assert";
import { runExportNsq } from "../../src/cli/export_nsq.ts";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { namesIn } from "../support/go_data_path.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

Deno.test("runExportNsq() ends with 0 when it has written the folder, and with 1 and a line when it cannot", async () => {
  await withDataPath(async (folder) => {
    Deno.mkdirSync(`${folder}/data`);
    const args = [`--data-path=${folder}/data`, `--to=${folder}/go`, "--log-level=warn", "--log-prefix="];

    assertEquals(await run(args), { code: 0, lines: [] });
    assertEquals(await run(args), {
      code: 1,
      lines: [`FATAL: failed to export - ${folder}/go is not empty`],
    });
    assertEquals(await run([]), { code: 1, lines: ["export-nsq: --to must name the folder to write to"] });

    assertEquals(namesIn(DENO_FILES, `${folder}/go`), ["nsqd.dat"]);
  });
});

/** Runs it; returns its exit code and what it has written to its error output, without times. */
async function run(args: readonly string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const { error } = console;
  console.error = (line: string) => lines.push(line.replace(/^[\d/]+ [\d:.]+ /, ""));
  try {
    return { code: await runExportNsq(args), lines };
  } finally {
    console.error = error;
  }
}
