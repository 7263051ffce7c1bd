import { MemoryStores } from "../../src/storage/memory_segments.ts";
import { segmentStoreTest } from "../contract/segment_store.ts";

segmentStoreTest("MemorySegments", () => {
  const stores = new MemoryStores();
  return { reopen: () => stores, [Symbol.asyncDispose]: () => Promise.resolve() };
});
