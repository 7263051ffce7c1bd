import { assertEquals, assertRejects } from "@std/assert";
import { BATCH_SIZE_MAX, Batches } from "../../../src/tools/to_http/batches.ts";

interface Sending {
  readonly items: readonly string[];
  readonly done: PromiseWithResolvers<void>;
}

function recorded(
  { count, concurrency, waitMs = 3_600_000, size = 1 }: {
    readonly count: number;
    readonly concurrency: number;
    readonly waitMs?: number;
    readonly size?: number;
  },
): { readonly sendings: Sending[]; readonly batches: Batches<string> } {
  const sendings: Sending[] = [];
  const batches = new Batches<string>({
    count,
    concurrency,
    waitMs,
    sizeOf: () => size,
    send: (items) => {
      const done = Promise.withResolvers<void>();
      sendings.push({ items, done });
      return done.promise;
    },
  });
  return { sendings, batches };
}

const itemsOf = (sendings: readonly Sending[]) => sendings.map(({ items }) => items.join(""));

Deno.test("Batches sends what is full, so many at a time", async () => {
  const { sendings, batches } = recorded({ count: 2, concurrency: 1 });
  const added = ["a", "b", "c", "d"].map((item) => batches.add(item));

  assertEquals(itemsOf(sendings), ["ab"]);
  sendings[0].done.resolve();
  await Promise.all(added.slice(0, 2));
  assertEquals(itemsOf(sendings), ["ab", "cd"]);
  sendings[1].done.resolve();
  await Promise.all(added);
});

Deno.test("Batches sends what has waited long enough", async () => {
  const { sendings, batches } = recorded({ count: 10, concurrency: 1, waitMs: 1 });
  const added = batches.add("a");
  while (sendings.length === 0) await new Promise((resolve) => setTimeout(resolve));
  sendings[0].done.resolve();
  await added;

  assertEquals(itemsOf(sendings), ["a"]);
});

Deno.test("Batches lets a batch of many bytes wait for no others", () => {
  const { sendings, batches } = recorded({ count: 10, concurrency: 9, size: BATCH_SIZE_MAX / 2 });
  for (const item of ["a", "b"]) void batches.add(item);

  assertEquals(itemsOf(sendings), ["ab"]);
});

Deno.test("Batches waits for nothing from hurry() on", () => {
  const { sendings, batches } = recorded({ count: 10, concurrency: 9 });
  void batches.add("a");
  batches.hurry();
  void batches.add("b");

  assertEquals(itemsOf(sendings), ["a", "b"]);
});

Deno.test("Batches tells everyone in a batch that it has failed, and goes on", async () => {
  const { sendings, batches } = recorded({ count: 2, concurrency: 1 });
  const [a, b, c] = ["a", "b", "c", "d"].map((item) => batches.add(item));
  sendings[0].done.reject(new Error("no"));

  await assertRejects(() => a, Error, "no");
  await assertRejects(() => b, Error, "no");
  sendings[1].done.resolve();
  await c;
});
