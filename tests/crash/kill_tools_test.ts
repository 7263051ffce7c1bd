import { assert, assertEquals } from "@std/assert";
import { KILL_KINDS, killTool } from "./kill_tools.ts";

for (const kind of KILL_KINDS) {
  Deno.test(`Nothing that was finished is missing when a tool is killed while it works: ${kind}`, async () => {
    const { published, missing } = await killTool({ kind, seed: 7, rounds: 2, workMsMax: 100 });

    assert(published > 100, `only ${published} messages`);
    assertEquals(missing, []);
  });
}
