import { assertEquals } from "@std/assert";
import { FairShare } from "../../src/base/fair_share.ts";
import { settle } from "../support/settle.ts";

/** A share whose turns end when the test says so, and a clock that it moves. */
function setUp() {
  const time = { nowMs: 0 };
  const ends: (() => void)[] = [];
  const othersFirst = () => new Promise<void>((resolve) => ends.push(resolve));
  const share = new FairShare(() => time.nowMs, othersFirst);
  const done: string[] = [];
  /** Work that takes so long, in ms. */
  const work = (name: string, ms: number) =>
    void share.run(() => {
      done.push(name);
      time.nowMs += ms;
    });
  const endTurn = async () => {
    ends.splice(0).forEach((end) => end());
    await settle();
  };
  return { share, work, done, endTurn, ends };
}

Deno.test("FairShare.run() does short work at once", () => {
  const { work, done } = setUp();

  for (const name of ["a", "b", "c"]) work(name, 1);

  assertEquals(done, ["a", "b", "c"]);
});

Deno.test("FairShare.run() lets work wait when what was done has taken 5 ms, in its order", async () => {
  const { work, done, endTurn } = setUp();

  for (const name of ["a", "b", "c", "d"]) work(name, 4);
  const turns = [done.splice(0)];
  await endTurn();
  turns.push(done.splice(0));
  await endTurn();

  assertEquals([...turns, done], [["a", "b"], ["c", "d"], []]);
});

Deno.test("FairShare.run() lets work wait behind 32 pieces, however short", async () => {
  const { work, done, endTurn } = setUp();

  for (let i = 0; i < 33; i++) work(`${i}`, 0);
  const first = done.splice(0);
  await endTurn();

  assertEquals([first.length, done], [32, ["32"]]);
});

Deno.test("FairShare.run() gives the result, and passes on what the work throws", async () => {
  const { share } = setUp();

  const failed = share.run(() => {
    throw new Error("boom");
  }).catch((error: Error) => error.message);

  assertEquals([await share.run(() => 5), await share.run(() => Promise.resolve(6)), await failed], [
    5,
    6,
    "boom",
  ]);
});

Deno.test("FairShare begins no turn while nobody works", async () => {
  const { share, endTurn, ends } = setUp();

  await share.turn();
  await share.turn();
  const begun = ends.length;
  await endTurn();

  assertEquals([begun, ends.length], [1, 0]);
});
