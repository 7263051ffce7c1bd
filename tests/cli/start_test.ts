/**
 * What a start loads: by how many modules it is, and by those that are known to be costly, not by its time, which is the
 * machine's (bench/startup.ts).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { runProgram } from "../support/interop.ts";

/** The most modules that the start of each program loads. Whoever adds one looks whether a start needs it. */
const MODULES_MAX = { nsqd: 230, nsqlookupd: 105, nsqadmin: 230 } as const;
/** The packages that a start may load. */
const PACKAGES = /^npm:\/?(deno-std|@noble\/hashes)@/;

/** Of what `deno info --json` tells. */
interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

const ROOT = new URL("../../", import.meta.url);

/** What is loaded with a file of the project: what it imports, and what that imports, and nothing that is imported when it is needed. */
function loadedWith(file: string, graph: ModuleGraph): string[] {
  const dependencies = new Map(graph.modules.map(({ specifier, dependencies = [] }) => [
    specifier,
    dependencies.flatMap(({ code, isDynamic }) => isDynamic || !code?.specifier ? [] : [code.specifier]),
  ]));
  const loaded = new Set([new URL(file, ROOT).href]);
  for (const specifier of loaded) {
    for (const dependency of dependencies.get(specifier) ?? []) loaded.add(dependency);
  }
  return [...loaded];
}

async function moduleGraph(): Promise<ModuleGraph> {
  const { stdout } = await runProgram(Deno.execPath(), {
    args: ["info", "--json", new URL("main.ts", ROOT).href],
  });
  return JSON.parse(stdout);
}

Deno.test("A start loads what it needs", async (test) => {
  const graph = await moduleGraph();

  for (const [program, most] of Object.entries(MODULES_MAX)) {
    const loaded = [...loadedWith("main.ts", graph), ...loadedWith(`src/${program}/main.ts`, graph)];
    const others = loaded.filter((specifier) => !specifier.startsWith("file:"));

    await test.step(`${program} loads no module of Node's, and few packages`, () => {
      assertEquals(others.filter((specifier) => !PACKAGES.test(specifier)), []);
    });
    await test.step(`${program} loads at most ${most} modules`, () => {
      const count = new Set(loaded).size;
      assert(count <= most, `${count} modules`);
      // Room that nobody uses is room for what nobody looks at.
      assert(count > 0.8 * most, `${count} modules only: lower the limit`);
    });
  }
});
