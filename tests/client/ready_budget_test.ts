import { assertEquals, assertLessOrEqual } from "@std/assert";
import { PROBE_MS, ReadyBudget, Share, TOKEN_MS } from "../../src/client/ready_budget.ts";
import { Random } from "../support/random.ts";

Deno.test("ReadyBudget.plan() gives everybody an equal share, and the first ones what is left over", () => {
  const { budget, readies } = budgetOf(10, 3);

  budget.plan(0);

  assertEquals(readies(), [4, 3, 3]);
});

Deno.test("ReadyBudget.plan() never tells a connection more than its nsqd takes", () => {
  const budget = new ReadyBudget(5000);
  budget.add(new Share(2500));

  budget.plan(0);

  assertEquals(budget.shares.map(({ ready }) => ready), [2500]);
});

Deno.test("ReadyBudget.plan() takes away before it gives", () => {
  const { budget, shares } = budgetOf(10, 1);
  budget.plan(0);
  const added = new Share(2500);
  budget.add(added);

  const changes = budget.plan(1);

  assertEquals(changes, [{ share: shares[0], ready: 5 }, { share: added, ready: 5 }]);
});

Deno.test("ReadyBudget.plan() waits for what a connection still holds before it gives that to another", () => {
  const { budget, shares } = budgetOf(10, 1);
  budget.plan(0);
  shares[0].inFlight = 10;
  budget.add(new Share(2500));

  budget.plan(1);
  assertEquals([budget.shares.map(({ ready }) => ready), budget.wanting], [[5, 0], true]);

  shares[0].inFlight = 7;
  budget.plan(2);
  assertEquals([budget.shares.map(({ ready }) => ready), budget.wanting], [[5, 3], true]);

  shares[0].inFlight = 5;
  budget.plan(3);
  assertEquals([budget.shares.map(({ ready }) => ready), budget.wanting], [[5, 5], false]);
});

Deno.test("ReadyBudget.plan() lends the shares of idle connections to busy ones, all but 1", () => {
  const { budget, shares, readies } = budgetOf(100, 4);
  budget.plan(0);
  shares[2].deliveredMs = 5000;

  budget.plan(5001);

  assertEquals(readies(), [1, 1, 97, 1]);
});

Deno.test("ReadyBudget.plan() gives a share back to a connection that has become busy", () => {
  const { budget, shares, readies } = budgetOf(100, 2);
  shares[0].deliveredMs = 5000;
  budget.plan(5001);
  assertEquals([readies(), shares[1].lends], [[99, 1], true]);

  shares[1].deliveredMs = 5002;
  budget.plan(5003);

  assertEquals([readies(), shares[1].lends], [[50, 50], false]);
});

Deno.test("ReadyBudget.plan() takes everything when the limit is 0, and gives it again", () => {
  const { budget, readies } = budgetOf(10, 2);
  budget.plan(0);
  budget.limit = 0;

  budget.plan(1);
  assertEquals(readies(), [0, 0]);

  budget.limit = 10;
  budget.plan(2);
  assertEquals(readies(), [5, 5]);
});

Deno.test("ReadyBudget.plan() gives RDY again to the only connection although it holds as many as it may", () => {
  const { budget, shares, readies } = budgetOf(10, 1);
  budget.plan(0);
  shares[0].inFlight = 10;
  budget.limit = 0;
  budget.plan(1);
  budget.limit = 10;

  budget.plan(2);

  assertEquals(readies(), [10]);
});

Deno.test("ReadyBudget.plan() moves the only token on when it has brought nothing for a while", () => {
  const { budget, holders } = budgetOf(1, 3);
  const held: number[][] = [];

  for (let step = 0; step < 4; step++) {
    budget.plan(step * TOKEN_MS);
    held.push(holders());
  }

  assertEquals(held, [[0], [1], [2], [0]]);
});

Deno.test("ReadyBudget.plan() moves a token on when it has brought a message, once that is answered", () => {
  const { budget, shares, holders } = budgetOf(1, 3);
  budget.plan(0);
  deliver(shares[0], 1);

  budget.plan(2);
  assertEquals(holders(), []);

  shares[0].inFlight = 0;
  budget.plan(3);
  assertEquals(holders(), [1]);
});

Deno.test("ReadyBudget.plan() leaves the token with the only busy one of many, but for a try now and then", () => {
  const { budget, shares, holders } = budgetOf(1, 20);
  // Messages of 10 ms each, all from one node: what it gets of ten seconds.
  let brought = 0;
  for (let nowMs = 0; nowMs < 15_000; nowMs += 10) {
    shares[7].inFlight = 0;
    budget.plan(nowMs);
    if (holders()[0] === 7) {
      deliver(shares[7], nowMs);
      if (nowMs >= 5000) brought++;
    }
  }

  // One try of TOKEN_MS in each PROBE_MS is lost to others, and little more.
  const share = brought / 1000;
  assertLessOrEqual(1 - TOKEN_MS / PROBE_MS - 0.05, share);
});

Deno.test("ReadyBudget.plan() lets busy connections take turns when there are fewer tokens than they are", () => {
  const { budget, shares, holders } = budgetOf(2, 6);
  const brought = shares.map(() => 0);

  for (let nowMs = 0; nowMs < 6000; nowMs += 10) {
    for (const share of shares) share.inFlight = 0;
    budget.plan(nowMs);
    for (const holder of holders()) {
      deliver(shares[holder], nowMs);
      brought[holder]++;
    }
  }

  const [least, most] = [Math.min(...brought), Math.max(...brought)];
  assertLessOrEqual(most - least, 2);
});

Deno.test("ReadyBudget.plan() never allows more than the limit, whatever happens", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const next = (end: number) => random.below(end);
    const budget = new ReadyBudget(next(12));
    for (let step = 0, nowMs = 0; step < 400; step++, nowMs += next(400)) {
      const share = budget.shares[next(Math.max(1, budget.shares.length))];
      const action = next(6);
      if (action === 0 && budget.shares.length < 10) budget.add(new Share(1 + next(8)));
      else if (action === 1 && share && next(4) === 0) budget.remove(share);
      else if (action === 2 && next(4) === 0) budget.limit = next(12);
      else if (action <= 4 && share && share.inFlight < share.ready) deliver(share, nowMs);
      else if (share && share.inFlight > 0) share.inFlight--;
      const heldBefore = budget.shares.reduce((sum, { inFlight }) => sum + inFlight, 0);

      budget.plan(nowMs);

      const used = budget.shares.reduce((sum, { used }) => sum + used, 0);
      // When the limit was lowered, what is held already may be more.
      assertLessOrEqual(used, Math.max(budget.limit, heldBefore), `seed ${seed}, step ${step}`);
    }
  }
});

function budgetOf(limit: number, count: number) {
  const budget = new ReadyBudget(limit);
  const shares = Array.from({ length: count }, () => new Share(2500));
  for (const share of shares) budget.add(share);
  return {
    budget,
    shares,
    readies: () => shares.map(({ ready }) => ready),
    holders: () => shares.flatMap(({ ready }, i) => ready > 0 ? [i] : []),
  };
}

function deliver(share: Share, nowMs: number): void {
  share.inFlight++;
  share.deliveredMs = nowMs;
}
