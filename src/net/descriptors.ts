/**
 * The file descriptors of this process, of which each connection takes one. They are dealt out before they are short:
 * what files need, and a reserve, stays free whatever clients do.
 *
 * @module
 */
import type { Logger } from "../base/logger.ts";
import type { ConnectionLimits } from "./admission.ts";

/** Descriptors kept free for what comes and goes: requests of our own, answers to clients that are refused. */
const RESERVE = 128;
/** Of few descriptors, connections get at least this part all the same: files may then have to wait. */
const CONNECTIONS_SHARE_MIN = 1 / 4;

/** How many files this process may have open, or `undefined` where that is not told. */
export function descriptorLimit(): number | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync("/proc/self/limits");
  } catch (error) {
    // Not every system has it, and under Deno's permissions it takes all of them.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
  const limit = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/** How many connections the descriptors are enough for, when `files` of them may be needed for files. */
export function connectionsPossible(limit: number, files: number): number {
  return Math.max(limit - files - RESERVE, Math.floor(limit * CONNECTIONS_SHARE_MIN));
}

/**
 * Deals `possible` connections out to listeners, each of which wants some: it gets what it wants, or the same part of
 * it as the others, in all and from one address. 0 is as many as there are.
 */
export function dealConnections<Name extends string>(
  possible: number,
  wanted: Readonly<Record<Name, ConnectionLimits>>,
): Record<Name, ConnectionLimits> {
  const entries = Object.entries<ConnectionLimits>(wanted).map(([name, limits]) => {
    return { name, ...limits, max: limits.max === 0 ? possible : Math.min(limits.max, possible) };
  });
  const total = entries.reduce((sum, { max }) => sum + max, 0);
  const part = Math.min(1, possible / total);
  const cut = (count: number) => count === 0 ? 0 : Math.max(1, Math.floor(count * part));
  return Object.fromEntries(entries.map(({ name, max, perAddressMax }) => {
    return [name, { max: cut(max), perAddressMax: cut(perAddressMax) }];
  })) as Record<Name, ConnectionLimits>;
}

/**
 * The limits that listeners want, or what of them this process's descriptors are enough for, with a line in the log
 * then.
 */
export function possibleLimits<Name extends string>(
  wanted: Readonly<Record<Name, ConnectionLimits>>,
  { files, logger }: { readonly files: number; readonly logger: Logger },
): Record<Name, ConnectionLimits> {
  const limit = descriptorLimit();
  if (limit === undefined) return wanted;
  const dealt = dealConnections(connectionsPossible(limit, files), wanted);
  const names = Object.keys(wanted) as Name[];
  if (names.some((name) => wanted[name].max > dealt[name].max)) {
    const parts = names.map((name) => `${name} ${dealt[name].max}`).join(", ");
    logger.info(`Connections at a time, of the ${limit} files that may be open: ${parts}`);
  }
  return dealt;
}
