import { assertEquals } from "@std/assert";
import npmManifest from "../../client.json" with { type: "json" };
import manifest from "../../deno.json" with { type: "json" };
import { CLIENT_VERSION } from "../../src/client/options.ts";

Deno.test("The client's version, which nsqd is told, is that of both manifests", () => {
  assertEquals([CLIENT_VERSION, npmManifest.version], [manifest.version, manifest.version]);
});
