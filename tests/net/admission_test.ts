import { assertEquals } from "@std/assert";
import { Admission } from "../../src/net/admission.ts";

Deno.test("Admission.enter() lets in as many as there may be, and others when some have left", () => {
  const admission = new Admission({ max: 2, perAddressMax: 0 });

  const refusals = [admission.enter("a"), admission.enter("a"), admission.enter("b")];
  admission.leave("a");

  const refusal = { limit: "max", reason: "there are 2 connections" };
  assertEquals(refusals, [undefined, undefined, refusal]);
  assertEquals([admission.enter("b"), admission.enter("b")], [undefined, refusal]);
  assertEquals([admission.count, admission.refused], [2, 2]);
});

Deno.test("Admission.enter() lets in as many of one address as there may be, and others beside", () => {
  const admission = new Admission({ max: 0, perAddressMax: 2 });

  const refusals = ["a", "a", "a", "b"].map((host) => admission.enter(host));
  admission.leave("a");

  const refusal = { limit: "perAddressMax", reason: "a has 2 connections" };
  assertEquals(refusals, [undefined, undefined, refusal, undefined]);
  assertEquals(admission.enter("a"), undefined);
});

Deno.test("Admission.enter() knows no addresses on a unix socket", () => {
  const admission = new Admission({ max: 3, perAddressMax: 1 });

  assertEquals(["", "", "", ""].map((host) => admission.enter(host)), [
    undefined,
    undefined,
    undefined,
    { limit: "max", reason: "there are 3 connections" },
  ]);
});

Deno.test("Admission.enter() lets everybody in when the limits are 0", () => {
  const admission = new Admission({ max: 0, perAddressMax: 0 });

  for (let i = 0; i < 10_000; i++) admission.enter("a");

  assertEquals([admission.count, admission.refused], [10_000, 0]);
});
