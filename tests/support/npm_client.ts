/**
 * This project's client as its users get it: packed, and installed by npm into a fresh folder.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { MissingError, npmNetwork, runProgram, TempFolder } from "./interop.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const QUIET = ["--no-audit", "--no-fund"];

/** A folder with the package, its dependencies, and, it may be, a Node.js of its own. */
export interface InstalledClient {
  readonly path: string;
  /** The command of Node.js. */
  readonly node: string;
}

/** Packs the client as `deno task npm` does; nothing of it comes from the network. Returns the file. */
export async function packClient(folder: string): Promise<string> {
  const file = `${folder}/client.tgz`;
  const args = ["pack", "-c", "client.json", "--no-source-maps", "--allow-dirty", "-o", file];
  await runProgram(Deno.execPath(), { args, cwd: ROOT });
  return file;
}

const installed = new Map<string | undefined, Promise<InstalledClient>>();

/**
 * Installs the client in a fresh folder, once for a test file, which is removed with it.
 *
 * @param nodeVersion The Node.js to run it with, from npm too; by default the one that there is.
 * @throws {MissingError} If there is no Node.js, or the packages cannot be had.
 */
export function installClient(script: string, nodeVersion?: string): Promise<InstalledClient> {
  const before = installed.get(nodeVersion);
  if (before) return before;
  const now = install(script, nodeVersion);
  installed.set(nodeVersion, now);
  return now;
}

async function install(script: string, nodeVersion: string | undefined): Promise<InstalledClient> {
  await runProgram("node", { args: ["--version"] });
  const folder = await TempFolder.make();
  try {
    const file = await packClient(folder.path);
    await Deno.writeTextFile(`${folder.path}/package.json`, JSON.stringify({ type: "module" }));
    await Deno.copyFile(`${ROOT}tests/interop/npm_client/${script}`, `${folder.path}/${script}`);
    const node = nodeVersion === undefined ? [] : [`node-${Deno.build.os}-${archOfNode()}@${nodeVersion}`];
    try {
      await runProgram("npm", {
        args: ["install", ...npmNetwork(), ...QUIET, file, ...node],
        cwd: folder.path,
      });
    } catch (error) {
      throw MissingError.because("the client's dependencies from npm", error);
    }
    globalThis.addEventListener("unload", () => Deno.removeSync(folder.path, { recursive: true }));
    return {
      path: folder.path,
      node: node.length === 0
        ? "node"
        : `${folder.path}/node_modules/node-${Deno.build.os}-${archOfNode()}/bin/node`,
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

function archOfNode(): string {
  return Deno.build.arch === "x86_64" ? "x64" : "arm64";
}
