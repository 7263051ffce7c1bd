/**
 * Frees at once what nothing refers to any more. The runtime does so when its own limits ask for it, which know nothing of
 * the limit of a container: there it would be killed with most of its memory being garbage.
 *
 * @module
 */

import { fromNode } from "./from_node.ts";

const v8 = fromNode("node:v8");
const vm = fromNode("node:vm");

/** `minor`: of what was made lately, in a few ms; `major`: of everything, in some ms for each 10 MiB that are in use. */
export type Collection = "minor" | "major";

let collect: ((options: { readonly type: Collection }) => void) | undefined;

/** Collects garbage now. */
export function collectGarbage(type: Collection): void {
  collect ??= exposed();
  collect({ type });
}

function exposed(): (options: { readonly type: Collection }) => void {
  // Nothing else gets hold of it: the flag counts for contexts that are made while it is set.
  v8().setFlagsFromString("--expose-gc");
  try {
    const gc: unknown = vm().runInNewContext("gc");
    if (typeof gc === "function") return (options) => void gc(options);
    throw new Error("the runtime has no way to collect garbage");
  } finally {
    v8().setFlagsFromString("--no-expose-gc");
  }
}
