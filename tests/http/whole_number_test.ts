import { assertEquals, assertThrows } from "@std/assert";
import { HttpError } from "../../src/http/http_error.ts";
import { wholeNumber } from "../../src/http/whole_number.ts";

Deno.test("wholeNumber() is what a text says, and something else where it says nothing", () => {
  const read = (text: string | undefined) => wholeNumber(text, { otherwise: 7, max: 50 }, "INVALID_COUNT");

  assertEquals(["1", " 50 ", "007", "", " ", undefined].map(read), [1, 50, 7, 7, 7, 7]);
  for (const text of ["0", "51", "-1", "1.5", "1e1", "0x10", "five"]) {
    assertThrows(() => read(text), HttpError, "INVALID_COUNT");
  }
});
