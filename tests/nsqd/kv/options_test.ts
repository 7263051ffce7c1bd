import { assertEquals } from "@std/assert";
import { loadNsqdOptions } from "../../../src/nsqd/options.ts";

/** The store that a flag asks for, or what is said of it. */
function storeOf(...args: readonly string[]): string {
  const start = loadNsqdOptions(args);
  return start.kind === "run" ? start.options.store : start.text;
}

Deno.test("--store is auto, files, memory, kv, or kv with a path or URL", () => {
  assertEquals([storeOf(), storeOf("--store=auto")], ["files", "files"]);
  for (const store of ["files", "memory", "kv", "kv:/data/q.sqlite", "kv:https://kv.example/x"]) {
    assertEquals(storeOf(`--store=${store}`), store);
  }
  for (const store of ["", "kvx", "kv:", "memory:"]) {
    assertEquals(
      storeOf(`--store=${store}`),
      `nsqd: Bad value "${store}" of flag --store: must be auto, files, memory, kv, or kv: and a path or URL`,
    );
  }
});

Deno.test("--kv-timeout is at least 1ms", () => {
  assertEquals(storeOf("--kv-timeout=1ms"), "files");
  assertEquals(storeOf("--kv-timeout=0"), "nsqd: --kv-timeout must be at least 1ms");
});
