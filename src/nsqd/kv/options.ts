/**
 * Where messages are kept, as it can be asked for, and the limits of a database that keeps them. NSQ has none of that.
 *
 * @module
 */
import { duration, type Kind } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;
/** What comes before the path or URL of a database. */
const KV_PREFIX = "kv:";

/** Where messages are kept, as it can be asked for. */
export type Store = "auto" | "files" | "memory" | "kv" | `kv:${string}`;

/** See {@linkcode Store}. */
export const store: Kind<Store> = {
  name: "auto, files, memory or kv",
  fromFlag: (texts) => parseStore(texts[texts.length - 1]),
  fromFile: (value) => parseStore(String(value)),
  show: (value) => value,
  toJson: (value) => value,
};

/** The table. */
export const KV_OPTIONS = {
  kvTimeoutMs: option({
    flag: "kv-timeout",
    kind: duration,
    default: 5 * SECOND_MS,
    description:
      "How long an operation of a Deno KV database may take; a request that needed it is answered with 503 then.",
  }),
};

/** See the table. */
export type KvOptions = OptionsOf<typeof KV_OPTIONS>;

/** The path or URL of the database; empty for the one that is attached; `undefined` if none is asked for. */
export function kvPlaceOf({ store }: { readonly store: Store }): string | undefined {
  if (store === "kv") return "";
  return store.startsWith(KV_PREFIX) ? store.slice(KV_PREFIX.length) : undefined;
}

/** Why these options cannot be run with, or `undefined` if they can. */
export function kvRefusal({ kvTimeoutMs }: KvOptions): string | undefined {
  return kvTimeoutMs >= 1 ? undefined : "--kv-timeout must be at least 1ms";
}

function parseStore(text: string): Store {
  if (text === "auto" || text === "files" || text === "memory" || text === "kv") return text;
  if (text.startsWith(KV_PREFIX) && text.length > KV_PREFIX.length) return text as Store;
  throw new SyntaxError("must be auto, files, memory, kv, or kv: and a path or URL");
}
