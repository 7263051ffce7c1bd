/**
 * What the place that nsqd runs in means for it: on Deno Deploy, and wherever it has few permissions. There it serves HTTP, may
 * have no disk, and what it does without is said in a line each.
 *
 * @module
 */

import { machineMemoryBytes } from "../base/memory_limit.ts";
import { hostName, isGranted, isOnDeploy, machineName, variable } from "../base/platform.ts";
import { TOKENS_VARIABLE } from "./api/guard.ts";
import type { NsqdOptions } from "./options.ts";
import { usableMemoryBytes } from "./topic_options.ts";

/** Bytes of memory that the smallest sandbox has, as far as is known: where nothing is known, it is taken for that. */
const SMALLEST_BYTES = 512_000_000;
/** Parts of `--max-memory`, where messages are in memory only. Of what is left the runtime lives. */
const MESSAGES_PART = 1 / 2;
const BODIES_PART = 1 / 8;

/** The options with what the place implies. */
export function withPlace<T extends NsqdOptions>(options: T): T {
  const { store: asked, dataPath, maxMemoryBytes: given, httpMaxBodiesSizeBytes: bodies } = options;
  const store = asked !== "auto" ? asked : dataPath === "" && !hasDisk() ? "memory" : "files";
  if (store === "files") return { ...options, store };
  // Without a disk there is no other end to it than being killed.
  const maxMemoryBytes = given || usableMemoryBytes(machineMemoryBytes() ?? SMALLEST_BYTES);
  const bodiesMax = Math.floor(maxMemoryBytes * BODIES_PART);
  return {
    ...options,
    store,
    maxMemoryBytes,
    httpMaxBodiesSizeBytes: bodies === 0 ? bodiesMax : Math.min(bodies, bodiesMax),
  };
}

/** How many bytes messages may take where they are in memory only. */
export function messagesSizeMax({ maxMemoryBytes }: Pick<NsqdOptions, "maxMemoryBytes">): number {
  return Math.floor(maxMemoryBytes * MESSAGES_PART);
}

/** Why these options cannot be run with in this place, or `undefined` if they can. */
export function placeRefusal(
  { adminAddress, tlsCert }: Pick<NsqdOptions, "adminAddress" | "tlsCert">,
): string | undefined {
  if (!isOnDeploy()) return undefined;
  const flag = adminAddress !== "" ? "admin-address" : tlsCert !== "" ? "tls-cert" : undefined;
  return flag && `--${flag} asks for a second HTTP server, and Deno Deploy has one only`;
}

/** What is to be said of the place at the start: a line for each thing that is not as on a machine of one's own. */
export function placeLines(
  { store, maxMemoryBytes }: Pick<NsqdOptions, "store" | "maxMemoryBytes">,
): string[] {
  const lines = isOnDeploy() ? [`${instanceText()}, with HTTP only`] : [];
  if (store === "memory") {
    const limit = `${messagesSizeMax({ maxMemoryBytes })} of ${maxMemoryBytes} bytes`;
    lines.push(`messages, topics and channels live in this instance's memory (${limit}) and end with it`);
  }
  return [...lines, ...withoutLines(store)];
}

function hasDisk(): boolean {
  // Deploy has one that ends with the instance.
  return !isOnDeploy() && isGranted({ name: "read", path: "." }) && isGranted({ name: "write", path: "." });
}

/** Which instance this is, as far as the platform says it. */
function instanceText(): string {
  const known = [
    ["app", variable("DENO_DEPLOY_APP_SLUG")],
    ["deployment", variable("DENO_DEPLOYMENT_ID")],
    ["region", variable("DENO_REGION")],
  ].flatMap(([name, value]) => value === undefined ? [] : [`${name} ${value}`]);
  return ["an instance on Deno Deploy", ...known].join(", ");
}

/** What there is no permission for, and what that means. */
function withoutLines(store: NsqdOptions["store"]): string[] {
  const lines: string[] = [];
  const without = (permission: string, meaning: string) => lines.push(`without ${permission} ${meaning}`);
  if (store === "memory" && !isOnDeploy() && !isGranted({ name: "write", path: "." })) {
    without("--allow-read and --allow-write", "there is no data path");
  }
  if (machineName() === undefined) {
    without(
      "--allow-sys=hostname",
      `this node is called ${JSON.stringify(hostName())}, and has any --node-id`,
    );
  }
  if (!isGranted({ name: "env", variable: TOKENS_VARIABLE })) {
    without(`--allow-env=${TOKENS_VARIABLE}`, "tokens of the HTTP API come from a file only");
  }
  if (!isGranted({ name: "sys", kind: "inspector" as "hostname" })) {
    without("--allow-sys", "an inspector that SIGUSR1 opens is not closed");
  }
  return lines;
}
