import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runProgram, TempFolder } from "../support/interop.ts";
import { startNsqd } from "../support/nsqd_process.ts";

const ROOT = new URL("../../", import.meta.url);
const CLIENT = new URL("src/client/mod.ts", ROOT).href;
/** The address that examples have, and a test has not. */
const ADDRESS = "127.0.0.1:4150";

Deno.test("Every example of docs/client.md and of the comments in src/client runs", async () => {
  await using nsqd = await startNsqd();
  await using folder = await TempFolder.make();
  const examples = await allExamples();
  assert(examples.length >= 6, `only ${examples.length} examples`);
  const paths: string[] = [];
  for (const [i, { code }] of examples.entries()) {
    const path = `${folder.path}/example_${i}.ts`;
    const here = code.replaceAll('"@denosq/client"', `"${CLIENT}"`).replaceAll(ADDRESS, nsqd.tcpAddress);
    await Deno.writeTextFile(path, here);
    paths.push(path);
  }
  const config = ["--config", new URL("deno.json", ROOT).pathname];

  await runProgram(Deno.execPath(), { args: ["check", ...config, ...paths] });
  for (const path of paths) await runProgram(Deno.execPath(), { args: ["run", "-A", ...config, path] });
});

Deno.test("The programs of examples/ do what they say", async () => {
  await using nsqd = await startNsqd();
  const run = async (name: string, ...args: string[]) => {
    const path = new URL(`examples/${name}`, ROOT).pathname;
    return await runProgram(Deno.execPath(), {
      args: ["run", "-A", path, nsqd.tcpAddress, ...args],
      cwd: ROOT.pathname,
    });
  };
  // A channel gets what is published when it is there.
  for (const channel of ["billing", "shipping"]) {
    const query = `topic=orders&channel=${channel}`;
    const create = (what: string) => fetch(`http://${nsqd.httpAddress}/${what}?${query}`, { method: "POST" });
    for (const what of ["topic/create", "channel/create"]) await (await create(what)).body?.cancel();
  }

  const published = await run("publish.ts");
  const consumed = await run("consume.ts");
  const handled = await run("handler.ts", "1");

  assertEquals(published.stdout.trim(), `101 orders are published, by ${nsqd.tcpAddress}`);
  assertEquals(consumed.stdout.trim(), "101 orders, 49500 in all");
  assertStringIncludes(handled.stderr, "Error: Order 7 is too heavy");
});

interface Example {
  readonly code: string;
}

async function allExamples(): Promise<Example[]> {
  const examples = blocksOf(await Deno.readTextFile(new URL("docs/client.md", ROOT)));
  for await (const { name } of Deno.readDir(new URL("src/client/", ROOT))) {
    const text = await Deno.readTextFile(new URL(`src/client/${name}`, ROOT));
    for (const [, comment] of text.matchAll(/\/\*\*([\s\S]*?)\*\//g)) {
      examples.push(...blocksOf(comment.replace(/^ *\* ?/gm, "")));
    }
  }
  return examples;
}

function blocksOf(text: string): Example[] {
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => ({ code }));
}
