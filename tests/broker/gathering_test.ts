/**
 * When a topic's next sync begins. What is waited for, and how often in vain, is seen by a context whose time and turns are the test's.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Gathering } from "../../src/broker/gathering.ts";

const SYNC_MS = 10;
/** Within half of that. */
const SOON_MS = 4;
const LATE_MS = 6;

/** A gathering after a sync of `answered` messages, in a context whose clock and turns are set by hand. */
function gatheringAfter(answered: number) {
  const time = { nowMs: 1000 };
  const turns: (() => void)[] = [];
  const gathering = new Gathering({
    monotonicMs: () => time.nowMs,
    othersFirst: () => new Promise((resolve) => turns.push(resolve)),
  });
  gathering.synced(answered, SYNC_MS);
  return { gathering, time, endTurn: () => turns.splice(0).forEach((end) => end()) };
}

Deno.test("Gathering waits for nothing before the first sync", () => {
  const gathering = new Gathering({ monotonicMs: () => 0, othersFirst: () => Promise.resolve() });

  gathering.came(1);

  assertEquals(gathering.begin(), undefined);
});

Deno.test("Gathering waits for nothing when as many have come as were acknowledged", () => {
  const { gathering } = gatheringAfter(2);

  gathering.came(2);

  assertEquals(gathering.begin(), undefined);
});

Deno.test("Gathering.begin() settles when as many messages have come as the last sync has brought their OK", async () => {
  const { gathering } = gatheringAfter(2);
  let begun = false;
  gathering.came(1);

  const waiting = gathering.begin()?.then(() => begun = true);
  await Promise.resolve();
  const early = begun;
  gathering.came(1);
  await waiting;

  assertEquals([early, begun], [false, true]);
});

Deno.test("Gathering.begin() settles when others have had their turn, whoever has not come", async () => {
  const { gathering, endTurn } = gatheringAfter(2);
  gathering.came(1);

  const waiting = gathering.begin();
  endTurn();

  await waiting;
  await gathering.ended();
});

Deno.test("Gathering waits again where the messages have come within half of a sync's time", async () => {
  const { gathering, time } = gatheringAfter(1);
  const waiting = gathering.begin();
  time.nowMs += SOON_MS;
  gathering.came(1);
  await waiting;

  gathering.synced(1, SYNC_MS);

  assert(gathering.begin() !== undefined);
});

for (
  const { name, wait } of [
    { name: "came too late", wait: ({ gathering }: ReturnType<typeof gatheringAfter>) => gathering.came(1) },
    { name: "did not come", wait: ({ endTurn }: ReturnType<typeof gatheringAfter>) => endTurn() },
  ]
) {
  Deno.test(`Gathering lets 8 syncs begin at once when messages ${name}, and 16 when that is so again`, async () => {
    const test = gatheringAfter(1);
    const { gathering, time } = test;
    const counts: number[] = [];

    let waiting = gathering.begin();
    for (let round = 0; round < 2; round++) {
      time.nowMs += LATE_MS;
      wait(test);
      await waiting;
      let count = -1;
      do {
        count++;
        gathering.synced(1, SYNC_MS);
        waiting = gathering.begin();
      } while (!waiting);
      counts.push(count);
    }

    assertEquals(counts, [8, 16]);
  });
}
