/**
 * The examples of docs/http-api.md, in one shell with curl, as a reader would try them: each answers what the page says.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { interopTest, MissingError, runProgram } from "../support/interop.ts";
import { startNsqd } from "../support/nsqd_process.ts";

const PAGE = new URL("../../docs/http-api.md", import.meta.url);
/** Between the outputs of two commands. */
const MARK = "-- next --";

/** A command and what it writes. */
interface Example {
  readonly command: string;
  readonly output: string;
}

interopTest("The examples of docs/http-api.md answer what the page says", async () => {
  await needs("curl");
  return await startNsqd();
}, async (nsqd) => {
  const examples = examplesOf(Deno.readTextFileSync(PAGE));
  assert(examples.length > 15, `only ${examples.length} examples are found`);
  const script = examples.map(({ command }) => `${command}\nprintf '%s\\n' '${MARK}'`).join("\n");
  const folder = await Deno.makeTempDir({ prefix: "denosq_examples_" });
  try {
    const { stdout } = await nsqd.run(() =>
      runProgram("bash", {
        args: ["-c", script],
        cwd: folder,
        env: { N: `http://${nsqd.httpAddress}` },
      })
    );
    const outputs = stdout.split(`${MARK}\n`).slice(0, -1);
    assertEquals(
      examples.map(({ command }, i) => [command, steady(outputs[i])]),
      examples.map(({ command, output }) => [command, steady(output)]),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function needs(program: string): Promise<void> {
  try {
    await runProgram(program, { args: ["--version"] });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw MissingError.because(program, error);
  }
}

function examplesOf(page: string): Example[] {
  const blocks = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  return blocks.flatMap((block) =>
    block.split(/^\$ /m).slice(1).map((text) => {
      const end = text.indexOf("\n");
      return { command: text.slice(0, end), output: text.slice(end + 1) };
    })
  );
}

/** What differs from run to run: ids, epochs and times. An answer of JSON has no line's end of its own. */
function steady(output: string): string {
  return output
    .replace(/\b[0-9a-f]{16}\.(\d+)\.[a-z0-9]{8}\b/g, "LEASE.$1")
    .replace(/"id":"[0-9a-f]{16}"/g, '"id":"ID"')
    .replace(/"timestamp":"\d{19}"/g, '"timestamp":"TIME"')
    .trimEnd();
}
