import { assertEquals, assertRejects } from "@std/assert";
import type { Kv } from "../../../src/nsqd/kv/database.ts";
import { openKv } from "../../../src/nsqd/kv/open_kv.ts";
import type { Store } from "../../../src/nsqd/kv/options.ts";

/** Stands in for a database; it is only handed on. */
const KV = {} as Kv;
const LOG = { info: () => {} };

/** What is opened where, on Deno Deploy or elsewhere; `failure` is thrown in its place. */
async function opened(
  store: Store,
  { isOnDeploy = false, failure }: { isOnDeploy?: boolean; failure?: Error } = {},
): Promise<{ kv: Kv | undefined; places: (string | undefined)[] }> {
  const places: (string | undefined)[] = [];
  const kv = await openKv({ store, takesKv: store === "auto" && isOnDeploy, kvTimeoutMs: 1000 }, LOG, {
    openKv: (place) => {
      places.push(place);
      return failure ? Promise.reject(failure) : Promise.resolve(KV);
    },
    isOnDeploy,
  });
  return { kv, places };
}

Deno.test("openKv() opens the database that is named, and none without being asked", async () => {
  assertEquals(await opened("kv:/data/q.sqlite"), { kv: KV, places: ["/data/q.sqlite"] });
  assertEquals(await opened("kv:https://kv.example/x"), { kv: KV, places: ["https://kv.example/x"] });
  assertEquals(await opened("auto"), { kv: undefined, places: [] });
  assertEquals(await opened("files", { isOnDeploy: true }), { kv: undefined, places: [] });
  assertEquals(await opened("memory", { isOnDeploy: true }), { kv: undefined, places: [] });
});

Deno.test("openKv() takes the database that is attached on Deno Deploy, and does without if there is none", async () => {
  const failure = new TypeError("no database");

  assertEquals(await opened("auto", { isOnDeploy: true }), { kv: KV, places: [undefined] });
  assertEquals(await opened("auto", { isOnDeploy: true, failure }), { kv: undefined, places: [undefined] });
  const error = await assertRejects(() => opened("kv", { isOnDeploy: true, failure }), Error);
  assertEquals(error.message, "cannot open the database of --store=kv - no database");
});

Deno.test("openKv() says what it needs when that is not there", async () => {
  const nowhere = await assertRejects(() => opened("kv"), Error);
  assertEquals(
    nowhere.message,
    "--store=kv has a database attached on Deno Deploy only; elsewhere say which: kv:<path or URL>",
  );
  const without = await assertRejects(
    () =>
      openKv({ store: "kv:x", takesKv: false, kvTimeoutMs: 1000 }, LOG, {
        openKv: undefined,
        isOnDeploy: false,
      }),
    Error,
  );
  assertEquals(
    without.message,
    'cannot open the database of --store=kv:x - this Deno has Deno KV only with --unstable-kv, or with "unstable": ["kv"] in deno.json',
  );
});

Deno.test("openKv() does not wait for a database for ever", async () => {
  const never = new Promise<Kv>(() => {});
  const error = await assertRejects(
    () =>
      openKv({ store: "kv:x", takesKv: false, kvTimeoutMs: 10 }, LOG, {
        openKv: () => never,
        isOnDeploy: false,
      }),
    Error,
  );

  assertEquals(error.message, "cannot open the database of --store=kv:x - not opened within 10ms");
});
