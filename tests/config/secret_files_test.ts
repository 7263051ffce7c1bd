import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { warnOfOpenSecrets } from "../../src/config/secret_files.ts";

/** What is said of a file of that mode. */
function said(mode: number | undefined): string[] {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const path = mode === undefined ? "/no/such/file" : Deno.makeTempFileSync();
  try {
    if (mode !== undefined) Deno.chmodSync(path, mode);
    warnOfOpenSecrets(["", path], new Logger({ prefix: "", level: LOG_LEVELS.info, write }));
  } finally {
    if (mode !== undefined) Deno.removeSync(path);
  }
  return lines.map((line) => line.replaceAll(path, "FILE"));
}

for (const mode of [0o600, 0o400, 0o640, 0o660, 0o601]) {
  Deno.test(`warnOfOpenSecrets() says nothing of a file of mode ${mode.toString(8)}`, () => {
    assertEquals(said(mode), []);
  });
}

for (const mode of [0o644, 0o604, 0o602, 0o666]) {
  Deno.test(`warnOfOpenSecrets() warns of a file of mode ${mode.toString(8)}`, () => {
    assertEquals(said(mode), ['WARNING: "FILE" is open to every user of this machine: chmod o= FILE']);
  });
}

Deno.test("warnOfOpenSecrets() says nothing of a file that is not there", () => {
  assertEquals(said(undefined), []);
});
