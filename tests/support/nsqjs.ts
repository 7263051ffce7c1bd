/**
 * nsqjs, the client for Node.js, installed from npm's package for a test.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { MissingError, npmNetwork, runProgram, TempFolder } from "./interop.ts";

/**
 * A folder with one of the scripts of tests/interop/nsqjs and the locked packages, without their install scripts.
 *
 * @throws {MissingError} If there is no Node.js, or the packages cannot be had.
 */
export async function installNsqjs(script: string): Promise<TempFolder> {
  const source = fileURLToPath(new URL("../interop/nsqjs/", import.meta.url));
  await runProgram("node", { args: ["--version"] });
  const folder = await TempFolder.make();
  try {
    for (const file of ["package.json", "package-lock.json", script]) {
      await Deno.copyFile(`${source}${file}`, `${folder.path}/${file}`);
    }
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...npmNetwork()];
    await runProgram("npm", { args, cwd: folder.path });
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw MissingError.because("nsqjs from npm", error);
  }
}
