/**
 * This project's client, installed from its npm package and run by Node.js, against the server under test and NSQ's
 * own, whose folder the environment variable `NSQ_BIN` names.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { certificates } from "../support/certificates.ts";
import { interopTest, MissingError, runProgram, TempFolder } from "../support/interop.ts";
import { installClient, packClient } from "../support/npm_client.ts";
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

const SERVERS: readonly (readonly [name: string, command: () => readonly string[] | undefined])[] = [
  ["the server under test", () => undefined],
  ["NSQ's nsqd", () => [`${nsqFolder()}/nsqd`]],
];

for (const [server, command] of SERVERS) {
  for (const layers of LAYERS) clientTest(server, command, layers, undefined);
  // The newest Node.js without layers: what differs is the runtime.
  clientTest(server, command, LAYERS[0], "24");
}

function clientTest(
  server: string,
  command: () => readonly string[] | undefined,
  layers: typeof LAYERS[number],
  nodeVersion: string | undefined,
): void {
  const runtime = nodeVersion === undefined ? "Node.js" : `Node.js ${nodeVersion}`;
  const name = `The npm package finishes each of ${messagesFor(layers)} messages once ` +
    `(${runtime}, ${server}, ${describeLayers(layers)})`;

  // Nothing to dispose of after one test: the folder is the whole file's.
  const prepare = async () => ({
    client: await installClient("roundtrip.js", nodeVersion),
    [Symbol.asyncDispose]: async () => {},
  });
  interopTest(name, prepare, async ({ client }) => {
    const made = await certificates();
    const started = command();
    await using nsqd = await startNsqd({ args: flagsFor(layers, made), ...started && { command: started } });
    const workload = workloadFor(nsqd, { topic: "npm_client", layers, certificates: made });

    await nsqd.run(async () => {
      const args = ["roundtrip.js", JSON.stringify(workload)];
      const { stdout } = await runProgram(client.node, { args, cwd: client.path });

      assertClientReport(stdout, workload);
      await assertChannelDone(nsqd, workload);
    });
    await assertUpgraded(nsqd, layers);
  });
}

Deno.test("The npm package holds what Node.js can run, and types for all of it that is public", async () => {
  await using folder = await TempFolder.make();
  const file = await packClient(folder.path);
  await runProgram("tar", { args: ["xzf", file], cwd: folder.path });
  const files = new Map<string, string>();
  for (const path of filesBelow(`${folder.path}/package`)) files.set(path, await Deno.readTextFile(path));

  const problems = [...files].flatMap(([path, text]) => {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    const imports = [...code.matchAll(/\b(?:from|import)\s*\(?"([^"]+)"/g)].map(([, specifier]) => specifier);
    return [
      // Types are looked up beside the file that is imported.
      ...imports.filter((specifier) => specifier.startsWith(".")).map((specifier) =>
        new URL(path.endsWith(".d.ts") ? specifier.replace(/\.js$/, ".d.ts") : specifier, `file://${path}`)
          .pathname
      ).filter((target) => !files.has(target)),
      ...imports.filter((specifier) => !/^(\.|node:|snappyjs$)/.test(specifier)),
      ...path.endsWith(".js")
        ? code.match(/\bDeno\.|\busing [\w{]|\bwithResolvers\b|\bfromAsync\b/g) ?? []
        : [],
    ].map((what) => `${path.slice(folder.path.length)}: ${what}`);
  });

  assertEquals(problems, []);
  assertEquals(files.has(`${folder.path}/package/src/client/mod.d.ts`), true);
});

function* filesBelow(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(path);
    else if (/\.(js|d\.ts)$/.test(entry.name)) yield path;
  }
}

function nsqFolder(): string {
  const folder = Deno.env.get("NSQ_BIN");
  if (!folder) throw new MissingError("the environment variable NSQ_BIN, the folder of NSQ's programs");
  return folder;
}
