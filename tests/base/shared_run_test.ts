import { assertEquals, assertRejects } from "@std/assert";
import { SharedRun } from "../../src/base/shared_run.ts";

/** Work that ends, or fails, when it is told to. */
class Work {
  /** How often it has begun. */
  runs = 0;
  #end = Promise.withResolvers<void>();

  readonly run = (): Promise<void> => {
    this.runs++;
    return this.#end.promise;
  };

  /** Ends the run that is under way, and lets what follows from it happen. */
  async end(error?: Error): Promise<void> {
    const end = this.#end;
    this.#end = Promise.withResolvers();
    if (error) end.reject(error);
    else end.resolve();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

/** Writes down how a promise settles. */
function noted(notes: string[], name: string, promise: Promise<void>): void {
  promise.then(() => notes.push(`${name} done`), (error) => notes.push(`${name} ${error.message}`));
}

Deno.test("SharedRun.request() begins to work at once", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run);

  const done = shared.request();

  assertEquals([work.runs, shared.isRunning], [1, true]);
  await work.end();
  await done;
  assertEquals([work.runs, shared.isRunning], [1, false]);
});

Deno.test("SharedRun runs once more for all who ask while it runs, and not before it has ended", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run);
  const notes: string[] = [];

  noted(notes, "first", shared.request());
  noted(notes, "second", shared.request());
  noted(notes, "third", shared.request());
  assertEquals(work.runs, 1);
  await work.end();
  assertEquals([work.runs, notes], [2, ["first done"]]);
  await work.end();

  assertEquals([work.runs, notes, shared.isRunning], [2, ["first done", "second done", "third done"], false]);
});

Deno.test("SharedRun begins anew for who asks when a run has ended", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run);

  for (let i = 0; i < 3; i++) {
    const done = shared.request();
    await work.end();
    await done;
  }

  assertEquals(work.runs, 3);
});

Deno.test("SharedRun takes who asks in the moment in which a run ends for the next one", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run);
  const notes: string[] = [];
  noted(notes, "first", shared.request().then(() => noted(notes, "next", shared.request())));

  await work.end();
  assertEquals([work.runs, notes], [2, ["first done"]]);
  await work.end();

  assertEquals(notes, ["first done", "next done"]);
});

Deno.test("SharedRun tells a failure to those whose run it was, and goes on with the next", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run);
  const notes: string[] = [];

  noted(notes, "first", shared.request());
  noted(notes, "second", shared.request());
  await work.end(new Error("input/output error"));
  assertEquals([work.runs, notes], [2, ["first input/output error"]]);
  await work.end();

  assertEquals(notes, ["first input/output error", "second done"]);
});

Deno.test("SharedRun with failsAll tells a failure to those who wait for the next run, too", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run, { failsAll: true });
  const notes: string[] = [];

  noted(notes, "first", shared.request());
  noted(notes, "second", shared.request());
  await work.end(new Error("input/output error"));

  assertEquals([work.runs, notes, shared.isRunning], [
    1,
    ["first input/output error", "second input/output error"],
    false,
  ]);
  const again = shared.request();
  await work.end();
  await again;
});

Deno.test("SharedRun rejects when its work throws", async () => {
  const shared = new SharedRun(() => {
    throw new Error("at once");
  });

  await assertRejects(() => shared.request(), Error, "at once");
  assertEquals(shared.isRunning, false);
});

Deno.test("SharedRun.idle() settles when nobody waits any more, whatever has failed", async () => {
  const work = new Work();
  const shared = new SharedRun(work.run);
  const notes: string[] = [];
  await shared.idle();

  noted(notes, "first", shared.request());
  noted(notes, "second", shared.request());
  noted(notes, "idle", shared.idle());
  await work.end(new Error("no"));
  assertEquals(notes, ["first no"]);
  await work.end();

  assertEquals(notes, ["first no", "second done", "idle done"]);
});

Deno.test("SharedRun waits before a run for what it is told to, and all who ask meanwhile share that run", async () => {
  const work = new Work();
  const before = Promise.withResolvers<void>();
  const shared = new SharedRun(work.run, { before: () => before.promise });
  const notes: string[] = [];

  noted(notes, "first", shared.request());
  noted(notes, "second", shared.request());
  const early = [work.runs, shared.isRunning];
  before.resolve();
  await Promise.resolve();
  await work.end();

  assertEquals(early, [0, true]);
  assertEquals([work.runs, notes], [1, ["first done", "second done"]]);
});
