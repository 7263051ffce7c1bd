/**
 * What nsqd does on a Deno KV database: messages of 200 bytes, published and then received and finished over HTTP, on each kind
 * of database, with one instance and with two.
 *
 * ```sh
 * DENOSQ_DENOKV=/path/to/denokv deno run -A bench/kv.ts [messages]
 * ```
 *
 * @module
 */
import { denokvPath, DenokvServer } from "../tests/support/denokv.ts";
import { KvInstance } from "../tests/support/kv_instance.ts";
import { share, type SharePlan } from "../tests/support/kv_share.ts";
import { markdownTable } from "./markdown_table.ts";

const messages = Number(Deno.args[0] ?? 20_000);
const program = denokvPath();

/** How it is asked: so many messages a request, so many connections. */
const LOADS: readonly (readonly [name: string, load: Omit<SharePlan, "urls" | "messages" | "timeoutMs">])[] =
  [
    ["1000 a publish, 256 a receive, 4 consumers", { batch: 1000, publishers: 2, consumers: 4, max: 256 }],
    ["1000 a publish, 10 a receive, 16 consumers", { batch: 1000, publishers: 2, consumers: 16, max: 10 }],
    ["1 a publish, 64 publishers; 10 a receive, 16 consumers", {
      batch: 1,
      publishers: 64,
      consumers: 16,
      max: 10,
    }],
  ];

const rows: string[][] = [];
for (const [name, load] of LOADS) {
  await measure("memory", name, load, 1, () => Promise.resolve({ store: "kv::memory:" }));
  await measure("SQLite file", name, load, 1, sqlite);
  if (program === undefined) continue;
  for (const instances of [1, 2]) {
    await measure("denokv", name, load, instances, () => DenokvServer.start(program));
  }
}
const head = ["database", "instances", "load", "published/s", "received and finished/s"];
console.log(markdownTable(head, rows));

async function measure(
  database: string,
  name: string,
  load: Omit<SharePlan, "urls" | "messages" | "timeoutMs">,
  count: number,
  open: () => Promise<{ readonly store: string } & Partial<AsyncDisposable>>,
): Promise<void> {
  const opened = await open();
  const instances: KvInstance[] = [];
  try {
    for (let i = 0; i < count; i++) instances.push(await KvInstance.start(opened.store));
    // One by one they are some orders slower.
    const some = load.batch === 1 ? Math.ceil(messages / 4) : messages;
    const plan = { ...load, messages: some, timeoutMs: 60_000, urls: instances.map(({ url }) => url) };
    const { publishMs, consumeMs, delivered } = await share(plan);
    if (delivered !== some) throw new Error(`${delivered} of ${some} messages were delivered`);
    const rates = [publishMs, consumeMs].map((ms) => String(Math.round(some / ms * 1000)));
    rows.push([database, String(count), name, ...rates]);
    console.error(rows.at(-1)?.join(" | "));
  } finally {
    for (const instance of instances) await instance[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]?.();
  }
}

async function sqlite(): Promise<{ readonly store: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_kv_" });
  return {
    store: `kv:${folder}/q.sqlite`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
