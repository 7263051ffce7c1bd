/**
 * Another version of the runtime, from npm's package: platforms choose theirs.
 *
 * @module
 */

import { MissingError, npmNetwork, runProgram } from "./interop.ts";

/**
 * The path of that version's executable.
 *
 * @throws {MissingError} If it cannot be had.
 */
export async function denoOf(version: string): Promise<string> {
  if (version === Deno.version.deno) return Deno.execPath();
  const args = [...npmNetwork(), "-y", `deno@${version}`, "eval", "console.log(Deno.execPath())"];
  try {
    const { stdout } = await runProgram("npx", { args, env: { NO_COLOR: "1" } });
    return stdout.trim();
  } catch (error) {
    throw MissingError.because(`Deno ${version} from npm`, error);
  }
}
