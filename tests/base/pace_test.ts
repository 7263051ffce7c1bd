import { assertEquals } from "@std/assert";
import { Pace } from "../../src/base/pace.ts";

Deno.test("Pace.take() lets so much be done in a turn, and the rest in the next ones", async () => {
  const { pace, nextTurn } = setup(10);
  const done: string[] = [];
  for (const name of ["a", "b", "c", "d"]) void pace.take(6).then(() => done.push(name));

  await settled();
  // The second is more than what is left, but something is.
  assertEquals(done, ["a", "b"]);
  await nextTurn();
  assertEquals(done, ["a", "b", "c", "d"]);
});

Deno.test("Pace.take() lets more be done than in a turn, when nothing else is", async () => {
  const { pace, nextTurn } = setup(10);
  const done: string[] = [];
  for (const name of ["large", "small"]) {
    void pace.take(name === "large" ? 100 : 1).then(() => done.push(name));
  }

  await settled();
  assertEquals(done, ["large"]);
  await nextTurn();

  assertEquals(done, ["large", "small"]);
});

Deno.test("Pace.take() forgets what was not done in earlier turns", async () => {
  const { pace, nextTurn } = setup(10);
  await pace.take(1);
  await nextTurn();
  const done: number[] = [];
  for (let i = 0; i < 15; i++) void pace.take(1).then(() => done.push(i));

  await settled();

  assertEquals(done.length, 10);
  await nextTurn();
  assertEquals(done.length, 15);
});

function setup(most: number) {
  const turns: (() => void)[] = [];
  const pace = new Pace(most, () => new Promise((resolve) => turns.push(resolve)));
  const nextTurn = async () => {
    for (const resolve of turns.splice(0)) resolve();
    await settled();
  };
  return { pace, nextTurn };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
