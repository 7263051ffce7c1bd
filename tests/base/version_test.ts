import { assertEquals, assertMatch } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { DENOSQ_VERSION, nsqVersionLine, versionLine } from "../../src/base/version.ts";

Deno.test("versionLine() begins as NSQ's does, as clients of NSQ's read it", () => {
  // The pattern of gnsq's tests.
  const pattern = /^([a-z]+) v([0-9]+\.[0-9]+\.[0-9]+)(?:-[a-z]+)? \(built w\/([a-z0-9.-]+)\)/;

  assertEquals(pattern.exec(versionLine("nsqd"))?.slice(1), ["nsqd", "1.3.0", `deno${Deno.version.deno}`]);
});

Deno.test("versionLine() says in one line what the program really is", () => {
  assertMatch(versionLine("nsqd"), /^nsqd v1\.3\.0 \(built w\/deno\S+\) \(denosq v\d+\.\d+\.\d+\)$/);
  assertEquals(nsqVersionLine("nsqd"), `nsqd v1.3.0 (built w/deno${Deno.version.deno})`);
});

Deno.test("DENOSQ_VERSION is the version of deno.json", () => {
  assertEquals(DENOSQ_VERSION, manifest.version);
});
