import { assertEquals } from "@std/assert";
import { Transactions } from "../../src/client/transactions.ts";
import { bytesOf, textOf } from "../support/frames.ts";

const LOST = new Error("lost");
const REFUSED = new Error("refused");
const BEHIND = new Error("behind");

Deno.test("Transactions.answered() answers in the order in which it was asked", () => {
  const { transactions, told, ask } = asked();
  ask("a");
  ask("b");

  transactions.answered(bytesOf("1"));
  transactions.answered(bytesOf("2"));

  assertEquals(told, ["a: 1", "b: 2"]);
});

Deno.test("Transactions.answered() says when nothing was asked", () => {
  assertEquals(new Transactions().answered(bytesOf("OK")), false);
});

Deno.test("Transactions.refused() answers the first; what is behind it has surely not been done", () => {
  const { transactions, told, ask } = asked();
  for (const name of ["a", "b", "c"]) ask(name);
  transactions.markSent();
  transactions.answered(bytesOf("OK"));

  transactions.refused(REFUSED, BEHIND);

  assertEquals(told, ["a: OK", "b: refused, sure", "c: behind, sure"]);
});

Deno.test("Transactions.lost() is ambiguous for what was sent, and sure for what was not", () => {
  const { transactions, told, ask } = asked();
  ask("a");
  ask("b");
  transactions.markSent();
  transactions.answered(bytesOf("OK"));
  ask("c");

  transactions.lost(LOST);

  assertEquals(told, ["a: OK", "b: lost, ambiguous", "c: lost, sure"]);
});

Deno.test("Transactions knows what was sent also after very many answers", () => {
  const { transactions, told, ask } = asked();
  for (let i = 0; i < 3000; i++) ask(`${i}`);
  transactions.markSent();
  for (let i = 0; i < 2999; i++) transactions.answered(bytesOf(""));
  ask("last");

  assertEquals(transactions.length, 2);
  transactions.lost(LOST);
  assertEquals(told.slice(-2), ["2999: lost, ambiguous", "last: lost, sure"]);
});

function asked() {
  const transactions = new Transactions();
  const told: string[] = [];
  const ask = (name: string) =>
    transactions.push({
      succeeded: (data) => told.push(`${name}: ${textOf(data)}`),
      failed: (error, ambiguous) =>
        told.push(`${name}: ${error.message}, ${ambiguous ? "ambiguous" : "sure"}`),
    });
  return { transactions, told, ask };
}
