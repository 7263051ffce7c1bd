/**
 * nsqjs from npm's package, for the tests that run a script with it in Node.js.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { MissingError, runProgram, TempFolder } from "../support/interop.ts";

/** A folder with a script of ./nsqjs and the locked packages, without their install scripts. */
export async function installNsqjs(script: string): Promise<TempFolder> {
  const source = fileURLToPath(new URL("./nsqjs/", import.meta.url));
  await runProgram("node", { args: ["--version"] });
  const folder = await TempFolder.make();
  try {
    for (const file of ["package.json", "package-lock.json", script]) {
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
