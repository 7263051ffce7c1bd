import { assertEquals } from "@std/assert";
import { Budget, type Lease } from "../../src/base/budget.ts";

Deno.test("Budget.take() gives at once what is there, up to the last bit", async () => {
  const budget = new Budget(10);

  using _six = await budget.take(6);
  using four = await budget.take(4);

  assertEquals([four.amount, budget.used, budget.max], [4, 10, 10]);
});

Deno.test("Budget.take() waits for what is not there until enough is given back", async () => {
  const budget = new Budget(10);
  const six = await budget.take(6);
  const given = new Given();
  given.take(budget, 5);

  await given.settle();
  assertEquals([given.amounts, budget.used], [[], 6]);
  six[Symbol.dispose]();
  await given.settle();

  assertEquals([given.amounts, budget.used], [[5], 5]);
});

Deno.test("Budget.take() lets nobody pass who came later, however little they want", async () => {
  const budget = new Budget(10);
  const six = await budget.take(6);
  const given = new Given();
  given.take(budget, 5);
  given.take(budget, 1);
  given.take(budget, 5);

  await given.settle();
  assertEquals(given.amounts, []);
  six[Symbol.dispose]();
  await given.settle();

  assertEquals([given.amounts, budget.used], [[5, 1], 6]);
});

Deno.test("Budget.take() of more than there is waits until nobody has any, and then is alone", async () => {
  const budget = new Budget(10);
  const one = await budget.take(1);
  const given = new Given();
  given.take(budget, 11);
  given.take(budget, 1);

  await given.settle();
  assertEquals(given.amounts, []);
  one[Symbol.dispose]();
  await given.settle();
  assertEquals([given.amounts, budget.used], [[11], 11]);
  given.giveBack();
  await given.settle();

  assertEquals([given.amounts, budget.used], [[1], 1]);
});

Deno.test("Budget.take() of nothing waits for its turn, too, and takes nothing", async () => {
  const budget = new Budget(1);
  const one = await budget.take(1);
  const given = new Given();
  given.take(budget, 1);
  given.take(budget, 0);

  await given.settle();
  assertEquals(given.amounts, []);
  one[Symbol.dispose]();
  await given.settle();

  assertEquals([given.amounts, budget.used], [[1, 0], 1]);
});

Deno.test("Budget has no end when it is infinite", async () => {
  const budget = new Budget(Infinity);

  using _one = await budget.take(1e15);
  using other = await budget.take(1e15);

  assertEquals([other.amount, budget.used], [1e15, 2e15]);
});

Deno.test("A lease that is given back twice counts once", async () => {
  const budget = new Budget(10);
  const three = await budget.take(3);
  using _four = await budget.take(4);

  three[Symbol.dispose]();
  three[Symbol.dispose]();

  assertEquals(budget.used, 4);
});

Deno.test("Budget serves all of many who wait, in their order, and has everything in the end", async () => {
  const budget = new Budget(3);
  const order: number[] = [];
  let most = 0;
  const work = async (i: number) => {
    using _ = await budget.take(1 + i % 5);
    order.push(i);
    most = Math.max(most, budget.used);
    await Promise.resolve();
  };

  await Promise.all(Array.from({ length: 1000 }, (_, i) => work(i)));

  assertEquals(order, Array.from({ length: 1000 }, (_, i) => i));
  assertEquals([budget.used, most], [0, 5]);
});

/** What a budget has given to those who asked, since the last time it was given back. */
class Given {
  readonly #leases: Lease[] = [];

  take(budget: Budget, amount: number): void {
    void budget.take(amount).then((lease) => this.#leases.push(lease));
  }

  get amounts(): number[] {
    return this.#leases.map(({ amount }) => amount);
  }

  giveBack(): void {
    for (const lease of this.#leases.splice(0)) lease[Symbol.dispose]();
  }

  /** Lets everything happen that can. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }
}
