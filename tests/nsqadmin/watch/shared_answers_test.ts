import { assertEquals, assertRejects } from "@std/assert";
import {
  ANSWERS_MAX,
  ANSWERS_SIZE_MAX,
  SHARED_MS,
  SharedAnswers,
} from "../../../src/nsqadmin/watch/shared_answers.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** Answers that tell how often their question was asked, after some time. */
function shared({ size = 1, tookMs = 0 } = {}) {
  const clock = new FakeClock();
  let rounds = 1;
  let asked = 0;
  const answers = new SharedAnswers<number>({ clock, rounds: () => rounds, sizeOf: () => size });
  const ask = () => {
    clock.advance(tookMs);
    return Promise.resolve(++asked);
  };
  return {
    answers,
    clock,
    /** For who shares. */
    of: (key = "t") => answers.of(key, ask, { shares: true }),
    /** For who wants what is true now. */
    now: (key = "t") => answers.of(key, ask, { shares: false }),
    endRound: () => void rounds++,
  };
}

Deno.test("SharedAnswers gives an answer to all who ask within a round, and asks anew in the next", async () => {
  const { of, endRound, clock } = shared();

  assertEquals([await of(), await of(), await of("u")], [1, 1, 2]);
  endRound();
  clock.advance(1);
  assertEquals([await of(), await of()], [3, 3]);
});

Deno.test("SharedAnswers gives an answer until it is SHARED_MS old, and not longer", async () => {
  const { of, clock } = shared();
  await of();

  clock.advance(SHARED_MS);
  assertEquals(await of(), 1);
  clock.advance(1);
  assertEquals(await of(), 2);
});

Deno.test("SharedAnswers asks less often for what takes long: it is given for as long again", async () => {
  const { of, endRound, clock } = shared({ tookMs: 5000 });
  await of();
  endRound();

  clock.advance(5000);
  assertEquals(await of(), 1);
  clock.advance(1);
  assertEquals(await of(), 2);
});

Deno.test("SharedAnswers asks anew for who does not share, and gives that to those who do", async () => {
  const { of, now } = shared();

  assertEquals([await of(), await now(), await of()], [1, 2, 2]);
});

Deno.test("SharedAnswers has one question under way, whoever asks, and forgets it when something has changed", async () => {
  const { answers } = shared();
  const questions: PromiseWithResolvers<number>[] = [];
  const ask = (shares: boolean) =>
    answers.of("t", () => {
      const question = Promise.withResolvers<number>();
      questions.push(question);
      return question.promise;
    }, { shares });

  const before = [ask(true), ask(false), ask(true)];
  answers.forget();
  const after = ask(true);

  assertEquals(questions.length, 2);
  questions[0].resolve(1);
  assertEquals(await Promise.all(before), [1, 1, 1]);
  questions[1].resolve(2);
  assertEquals([await after, await ask(true), questions.length], [2, 2, 2]);
});

Deno.test("SharedAnswers keeps no failure", async () => {
  const { answers, of } = shared();

  await assertRejects(
    () => answers.of("t", () => Promise.reject(new Error("no")), { shares: true }),
    Error,
    "no",
  );

  assertEquals([answers.count, await of()], [0, 1]);
});

Deno.test("SharedAnswers.dropOld() drops what nobody is given any more", async () => {
  const { answers, of, clock } = shared();
  await of("a");
  clock.advance(SHARED_MS);
  await of("b");

  answers.dropOld();
  assertEquals(answers.count, 2);
  clock.advance(1);
  answers.dropOld();
  assertEquals([answers.count, await of("b")], [1, 2]);
});

Deno.test("SharedAnswers keeps as many as it may, the latest", async () => {
  const { answers, of } = shared();
  for (let i = 0; i < ANSWERS_MAX; i++) await of(`${i}`);
  assertEquals([answers.count, await of("0")], [ANSWERS_MAX, 1]);

  await of("one more");

  assertEquals([answers.count, await of("1"), await of("0")], [ANSWERS_MAX, 2, ANSWERS_MAX + 2]);
});

Deno.test("SharedAnswers keeps as much as it may", async () => {
  const { answers, of } = shared({ size: ANSWERS_SIZE_MAX / 2 });
  for (const key of ["a", "b", "c"]) await of(key);
  assertEquals([answers.count, await of("b"), await of("c")], [2, 2, 3]);

  const larger = shared({ size: ANSWERS_SIZE_MAX + 1 });
  await larger.of();
  assertEquals(larger.answers.count, 0);
});
