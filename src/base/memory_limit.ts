/**
 * How much memory this process may have: the limit of its control group, as a container's is (cgroups(7), versions 1
 * and 2). A process in a group that uses more is killed.
 *
 * @module
 */

import { isGranted } from "./platform.ts";

/** Where limits are, and the file that has one; in version 2 all controllers share a hierarchy. */
const V1 = { root: "/sys/fs/cgroup/memory", file: "memory.limit_in_bytes" };
const V2 = { root: "/sys/fs/cgroup", file: "memory.max" };
const GROUPS_PATH = "/proc/self/cgroup";
/** Version 1 says that there is no limit by a number of about 2^63. */
const UNLIMITED_FROM = 2 ** 60;

/**
 * The limit in bytes; undefined when there is none, or that cannot be known here.
 *
 * @param read The text of a file, undefined if it cannot be read.
 */
export function memoryLimitBytes(
  read: (path: string) => string | undefined = readAllowed,
): number | undefined {
  const limits: number[] = [];
  for (const line of read(GROUPS_PATH)?.split("\n") ?? []) {
    // The id of the hierarchy, its controllers, the group.
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!match) continue;
    const [, controllers, group] = match;
    const { root, file } = controllers === "" ? V2 : V1;
    if (controllers !== "" && !controllers.split(",").includes("memory")) continue;
    // The limit of a group holds for those in it. In a container the root is what is a group outside.
    for (let path = group.replace(/\/+$/, "");; path = path.slice(0, path.lastIndexOf("/"))) {
      const limit = Number(read(`${root}${path}/${file}`)?.trim() || NaN);
      if (limit < UNLIMITED_FROM) limits.push(limit);
      if (path === "") break;
    }
  }
  return limits.length > 0 ? Math.min(...limits) : undefined;
}

/** How much memory the machine has, a virtual one too, in bytes; undefined when that may not be known here. */
export function machineMemoryBytes(): number | undefined {
  return isGranted({ name: "sys", kind: "systemMemoryInfo" }) ? Deno.systemMemoryInfo().total : undefined;
}

/** Without asking for the permission: who has not given it does without. */
function readAllowed(path: string): string | undefined {
  if (!isGranted({ name: "read", path })) return undefined;
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // There is no such group, version or system; or more than this permission is asked for.
    return undefined;
  }
}
