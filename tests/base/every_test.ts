import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { every, othersFirst, sleep } from "../../src/base/every.ts";

/** Far longer than a test may take. */
const LONG_MS = 3_600_000;

Deno.test("sleep() ends when the signal aborts, and leaves no timer behind", async () => {
  const controller = new AbortController();

  const sleeping = sleep(LONG_MS, controller.signal);
  controller.abort();
  await sleeping;
});

Deno.test("sleep() does not begin when the signal has aborted", async () => {
  await sleep(LONG_MS, AbortSignal.abort());
});

Deno.test("sleep() waits for the time", async () => {
  const before = performance.now();

  await sleep(20, new AbortController().signal);

  // Timers have whole ms, which may be rounded down.
  assert(performance.now() - before >= 19);
});

Deno.test("othersFirst() lets sockets be read, and not only timers run", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await listener.accept();
  const buffer = new Uint8Array(1);
  const turns: number[] = [];

  for (let round = 0; round < 10; round++) {
    let read = false;
    const reading = server.read(buffer).finally(() => read = true);
    await client.write(buffer);
    let taken = 0;
    for (; !read; taken++) await othersFirst();
    await reading;
    turns.push(taken);
  }

  // Of most rounds: the system may bring a byte late.
  assertLessOrEqual(turns.toSorted((a, b) => a - b)[5], 5, `${turns}`);
});

Deno.test("every() does the work again and again until the signal aborts", async () => {
  const controller = new AbortController();
  let count = 0;

  await every(0, controller.signal, () => {
    if (++count === 3) controller.abort();
  });

  assertEquals(count, 3);
});

Deno.test("every() waits before it does the work first", async () => {
  let count = 0;
  const controller = new AbortController();

  const running = every(LONG_MS, controller.signal, () => {
    count++;
  });
  controller.abort();
  await running;

  assertEquals(count, 0);
});

Deno.test("every() waits for work that takes longer than the interval", async () => {
  const controller = new AbortController();
  let running = 0;
  let runningMost = 0;
  let count = 0;

  await every(0, controller.signal, async () => {
    runningMost = Math.max(runningMost, ++running);
    await sleep(2, controller.signal);
    running--;
    if (++count === 3) controller.abort();
  });

  assertEquals(runningMost, 1);
});

Deno.test("every() ends with the error of the work", async () => {
  await assertRejects(
    () => every(0, new AbortController().signal, () => Promise.reject(new Error("no space left"))),
    Error,
    "no space left",
  );
});
