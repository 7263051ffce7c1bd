import { assert, assertEquals } from "@std/assert";
import { NO_QUANTILES, Quantile } from "../../src/base/quantile.ts";

const WINDOW_MS = 600_000;

function quantileOf(...quantiles: number[]): Quantile {
  return new Quantile({ quantiles, windowMs: WINDOW_MS, nowMs: 0 });
}

Deno.test("Quantile.result() is empty but for its quantiles before anything is inserted", () => {
  const result = quantileOf(0.99, 0.5).result(0);

  assertEquals(result, {
    count: 0,
    percentiles: [{ quantile: 0.99, value: 0 }, { quantile: 0.5, value: 0 }],
  });
});

Deno.test("Quantile.result() is exact for the largest value", () => {
  const quantile = quantileOf(1);

  for (const value of [123_456_789, 3, 987_654_321, 5_000]) quantile.insert(value, 0);

  assertEquals(quantile.result(0), { count: 4, percentiles: [{ quantile: 1, value: 987_654_321 }] });
});

Deno.test("Quantile.result() is exact for equal values", () => {
  const quantile = quantileOf(1, 0.5, 0.01);

  for (let i = 0; i < 10; i++) quantile.insert(1_500_000, 0);

  assertEquals(quantile.result(0).percentiles?.map(({ value }) => value), [1_500_000, 1_500_000, 1_500_000]);
});

Deno.test("Quantile.result() is within 1 % of the exact values", () => {
  const quantile = quantileOf(0.5, 0.9, 0.99, 0.999);
  const values: number[] = [];
  let random = 12345;

  for (let i = 0; i < 10_000; i++) {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    // From 1 µs to 1000 s, evenly by size.
    values.push(10 ** (3 + 9 * random / 2 ** 31));
    quantile.insert(values[i], 0);
  }

  values.sort((a, b) => a - b);
  for (const { quantile: q, value } of quantile.result(0).percentiles ?? []) {
    const exact = values[Math.ceil(q * values.length) - 1];
    assert(Math.abs(value - exact) <= 0.0101 * exact, `${q}: ${value}, exactly ${exact}`);
  }
});

Deno.test("Quantile.insert() takes values that are zero, negative or huge", () => {
  const quantile = quantileOf(1, 0.5, 0.01);

  for (const value of [0, -5, 1e300]) quantile.insert(value, 0);

  assertEquals(quantile.result(0).count, 3);
  assertEquals(quantile.result(0).percentiles?.[0], { quantile: 1, value: 1e300 });
});

Deno.test("Quantile.result() keeps values for at least half the window", () => {
  const quantile = quantileOf(1);
  quantile.insert(7, WINDOW_MS / 2);

  assertEquals(quantile.result(WINDOW_MS).count, 1);
});

Deno.test("Quantile.result() forgets values when the window has passed", () => {
  const quantile = quantileOf(1);
  quantile.insert(7, 0);

  assertEquals(quantile.result(WINDOW_MS).count, 1);
  assertEquals(quantile.result(WINDOW_MS + 1), { count: 0, percentiles: [{ quantile: 1, value: 0 }] });
});

Deno.test("Quantile.insert() forgets the older half and keeps the newer one", () => {
  const quantile = quantileOf(1);
  quantile.insert(900, 0);
  quantile.insert(7, WINDOW_MS / 2 + 1);

  quantile.insert(5, WINDOW_MS + 1);

  assertEquals(quantile.result(WINDOW_MS + 1), { count: 2, percentiles: [{ quantile: 1, value: 7 }] });
});

Deno.test("Quantile.insert() forgets both halves after a long pause", () => {
  const quantile = quantileOf(1);
  quantile.insert(900, 0);
  quantile.insert(800, WINDOW_MS / 2 + 1);

  quantile.insert(7, 100 * WINDOW_MS);

  assertEquals(quantile.result(100 * WINDOW_MS).count, 1);
});

Deno.test("Quantile.mergedResult() counts the values of all windows", () => {
  const [a, b] = [quantileOf(1), quantileOf(1)];
  for (const value of [10, 20, 30]) a.insert(value, 0);
  b.insert(5000, 0);

  const result = Quantile.mergedResult([a, b], 0);

  assertEquals(result, { count: 4, percentiles: [{ quantile: 1, value: 5000 }] });
});

Deno.test("Quantile.mergedResult() leaves the windows as they are", () => {
  const [a, b] = [quantileOf(1), quantileOf(1)];
  a.insert(1, 0);
  b.insert(2, 0);

  Quantile.mergedResult([a, b], 0);

  assertEquals([a.result(0).count, b.result(0).count], [1, 1]);
});

Deno.test("Quantile.mergedResult() leaves out what a window has forgotten", () => {
  const [a, b] = [quantileOf(1), quantileOf(1)];
  a.insert(900, 0);
  b.insert(2, 2 * WINDOW_MS);

  assertEquals(Quantile.mergedResult([a, b], 2 * WINDOW_MS).count, 1);
});

Deno.test("Quantile.mergedResult() has no percentiles without windows", () => {
  assertEquals(Quantile.mergedResult([], 0), NO_QUANTILES);
  assertEquals(NO_QUANTILES, { count: 0, percentiles: null });
});
