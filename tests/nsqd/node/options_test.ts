import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { defaultOptions } from "../../../src/config/option.ts";
import { NODE_OPTIONS } from "../../../src/nsqd/node/options.ts";

Deno.test("--node-id is by default what NSQ makes of the host's name", () => {
  const digest = createHash("md5").update(Deno.hostname()).digest();

  assertEquals(defaultOptions(NODE_OPTIONS).nodeId, crc32(digest) % 1024);
});
