import { assertEquals } from "@std/assert";
import { encodeLookupResponse, LOOKUP_OK } from "../../src/protocol/lookup_responses.ts";

Deno.test("encodeLookupResponse() puts the size before the data", () => {
  assertEquals([...encodeLookupResponse("E_X")], [0, 0, 0, 3, 69, 95, 88]);
  assertEquals([...encodeLookupResponse("")], [0, 0, 0, 0]);
});

Deno.test("encodeLookupResponse() takes each character of a text for a byte, and bytes as they are", () => {
  assertEquals([...encodeLookupResponse("\xff\x80")], [0, 0, 0, 2, 255, 128]);
  assertEquals([...encodeLookupResponse(new TextEncoder().encode("é"))], [0, 0, 0, 2, 195, 169]);
});

Deno.test("LOOKUP_OK is the answer OK", () => {
  assertEquals([...LOOKUP_OK], [0, 0, 0, 2, 79, 75]);
});
