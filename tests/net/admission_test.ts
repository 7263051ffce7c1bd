import { assertEquals } from "@std/assert";
import { Admission } from "../../src/net/admission.ts";

Deno.test("Admission.enter() lets in as many as there may be, and others when some have left", () => {
  const admission = new Admission({ max: 2, perAddressMax: 0 });

  const reasons = [admission.enter("a"), admission.enter("a"), admission.enter("b")];
  admission.leave("a");

  assertEquals(reasons, [undefined, undefined, "there are 2 connections"]);
  assertEquals([admission.enter("b"), admission.enter("b")], [undefined, "there are 2 connections"]);
  assertEquals([admission.count, admission.refused], [2, 2]);
});

Deno.test("Admission.enter() lets in as many of one address as there may be, and others beside", () => {
  const admission = new Admission({ max: 0, perAddressMax: 2 });

  const reasons = ["a", "a", "a", "b"].map((host) => admission.enter(host));
  admission.leave("a");

  assertEquals(reasons, [undefined, undefined, "a has 2 connections", undefined]);
  assertEquals(admission.enter("a"), undefined);
});

Deno.test("Admission.enter() knows no addresses on a unix socket", () => {
  const admission = new Admission({ max: 3, perAddressMax: 1 });

  assertEquals(["", "", "", ""].map((host) => admission.enter(host)), [
    undefined,
    undefined,
    undefined,
    "there are 3 connections",
  ]);
});

Deno.test("Admission.enter() lets everybody in when the limits are 0", () => {
  const admission = new Admission({ max: 0, perAddressMax: 0 });

  for (let i = 0; i < 10_000; i++) admission.enter("a");

  assertEquals([admission.count, admission.refused], [10_000, 0]);
});
