/**
 * Opens the Deno KV database that the options ask for.
 *
 * @module
 */
import { errorText } from "../../base/error_text.ts";
import type { Logger } from "../../base/logger.ts";
import { isOnDeploy, variable } from "../../base/platform.ts";
import type { Kv } from "./database.ts";
import { type KvOptions, kvPlaceOf, type Store } from "./options.ts";

/** What the runtime has of Deno KV, and where it runs; tests say something else. */
export interface KvRuntime {
  /** Absent without `--unstable-kv`, but on Deno Deploy. */
  readonly openKv: ((place?: string) => Promise<Kv>) | undefined;
  readonly isOnDeploy: boolean;
}

/**
 * The database; `undefined` when messages are to be kept elsewhere.
 *
 * @throws {Error} If it cannot be opened.
 */
export async function openKv(
  options: KvOptions & { readonly store: Store; readonly takesKv: boolean },
  logger: Pick<Logger, "info">,
  given?: KvRuntime,
): Promise<Kv | undefined> {
  const { store, takesKv: isOptional } = options;
  const place = isOptional ? "" : kvPlaceOf(options);
  if (place === undefined) return undefined;
  const runtime = given ?? thisRuntime();
  if (place === "" && !runtime.isOnDeploy) {
    throw new Error(
      "--store=kv has a database attached on Deno Deploy only; elsewhere say which: kv:<path or URL>",
    );
  }
  try {
    return await open(place, runtime, options.kvTimeoutMs);
  } catch (cause) {
    if (!isOptional) {
      throw new Error(`cannot open the database of --store=${store} - ${errorText(cause)}`, { cause });
    }
    logger.info(`KV: no database is attached - ${errorText(cause)}`);
    return undefined;
  }
}

/**
 * True on a platform that has a database attached, or would say that there is none: without either, `Deno.openKv()` opens a file
 * of this instance alone.
 */
export function isKvAttached(): boolean {
  return /^https?:/.test(variable("DENO_KV_DEFAULT_PATH") ?? "") ||
    variable("DENO_KV_REQUIRES_DISTRIBUTED_DATABASE") === "error";
}

async function open(place: string, { openKv }: KvRuntime, timeoutMs: number): Promise<Kv> {
  if (openKv === undefined) {
    throw new Error('this Deno has Deno KV only with --unstable-kv, or with "unstable": ["kv"] in deno.json');
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not opened within ${timeoutMs}ms`)), timeoutMs);
  });
  try {
    return await Promise.race([openKv(place === "" ? undefined : place), limit]);
  } finally {
    clearTimeout(timer);
  }
}

function thisRuntime(): KvRuntime {
  // Declared always, but there only with the flag.
  const { openKv } = Deno as { readonly openKv?: typeof Deno.openKv };
  return { openKv: openKv && ((place) => openKv(place)), isOnDeploy: isOnDeploy() };
}
