/**
 * Modules of Node's, each loaded when it is first used, where nothing can be awaited; where it can, `await import()` costs less. To
 * import one costs every start 4 to 20 ms, for most of them bring streams and more with them, whether or not anybody uses TLS,
 * compression or a page with metrics (docs/performance.md).
 *
 * @module
 */

/** Those that are used so. */
interface NodeModules {
  "node:buffer": typeof import("node:buffer");
  "node:crypto": typeof import("node:crypto");
  "node:net": typeof import("node:net");
  "node:v8": typeof import("node:v8");
  "node:vm": typeof import("node:vm");
}

/**
 * What loads the module with its first call, and returns it with each.
 *
 * ```ts
 * import { fromNode } from "./from_node.ts";
 *
 * const nodeCrypto = fromNode("node:crypto");
 * const hash = (text: string) => nodeCrypto().createHash("sha256").update(text).digest("hex");
 * ```
 */
export function fromNode<Name extends keyof NodeModules>(name: Name): () => NodeModules[Name] {
  let loaded: NodeModules[Name] | undefined;
  // To import `process` would be to load it.
  return () => loaded ??= globalThis.process.getBuiltinModule(name) as unknown as NodeModules[Name];
}
