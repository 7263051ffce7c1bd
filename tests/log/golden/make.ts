/**
 * Makes the golden segment with attributes that no client can give yet: written by this program's log to a folder on disk.
 * Run by hand, once for a version of the format:
 *
 *     deno run -A tests/log/golden/make.ts DATA_PATH
 *
 * @module
 */

import { Segment } from "../../../src/log/segment.ts";
import { FileStores } from "../../../src/storage/file_stores.ts";
import { append, DUE_MS, ownBlock } from "../../support/segments.ts";

const BASE = 0x102030405;

function make(dataPath: string): void {
  const segment = new Segment({ base: BASE, capacityBytes: 4096, stored: true });
  append(segment, ["unknown"], { attributes: "770003aabbcc" });
  append(segment, ["deferred, unknown"], { attributes: "7800007900017f", dueMs: DUE_MS });
  const own = ownBlock(
    { attributes: "", body: "none of its own" },
    { attributes: "770002beef7a0000", body: "two of its own" },
    { attributes: "7b0004deadc0de", body: "one of its own" },
  );
  segment.append(own, 0, own.length, {
    count: 3,
    timestamp: { high: 1, low: 3 },
    dueMs: 0,
    attributes: Uint8Array.fromHex("7c000101"),
    own: true,
  });
  append(segment, Array.from({ length: 20 }, (_, i) => `filler ${i}`));
  segment.commit();
  segment.close();
  const store = new FileStores(dataPath).open("attributes");
  store.append(BASE, segment.unwritten());
  store.close();
}

if (import.meta.main) make(Deno.args[0]);
