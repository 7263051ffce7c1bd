/**
 * Modules of Node's, each loaded when it is first used. To import one costs every start 4 to 20 ms, for most of them bring
 * streams and more with them, whether or not anybody uses TLS, compression or a page with metrics (docs/performance.md).
 *
 * @module
 */

/** Those that are used so. */
interface NodeModules {
  "node:buffer": typeof import("node:buffer");
  "node:crypto": typeof import("node:crypto");
  "node:dgram": typeof import("node:dgram");
  "node:dns": typeof import("node:dns");
  "node:dns/promises": typeof import("node:dns/promises");
  "node:fs/promises": typeof import("node:fs/promises");
  "node:http": typeof import("node:http");
  "node:https": typeof import("node:https");
  "node:inspector": typeof import("node:inspector");
  "node:inspector/promises": typeof import("node:inspector/promises");
  "node:net": typeof import("node:net");
  "node:process": typeof import("node:process");
  "node:stream": typeof import("node:stream");
  "node:timers": typeof import("node:timers");
  "node:tls": typeof import("node:tls");
  "node:v8": typeof import("node:v8");
  "node:vm": typeof import("node:vm");
  "node:zlib": typeof import("node:zlib");
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
