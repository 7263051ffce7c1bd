import { assertEquals, assertThrows } from "@std/assert";
import { HttpError } from "../../src/http/http_error.ts";
import { RequestContext } from "../../src/http/request_context.ts";
import { requestParams, requiredParam } from "../../src/http/request_params.ts";
import { httpRequest } from "../support/http_call.ts";

function context(query: string): RequestContext {
  return new RequestContext(httpRequest({ target: `/x?${query}` }));
}

Deno.test("requestParams() takes the first value of each parameter", () => {
  assertEquals([...requestParams(context("a=1&b=%20&a=2&c"))], [["a", "1"], ["b", " "], ["c", ""]]);
});

for (const query of ["a=%zz", "a=1;b=2"]) {
  Deno.test(`requestParams() refuses ${query}`, () => {
    const error = assertThrows(() => requestParams(context(query)), HttpError, "INVALID_REQUEST");

    assertEquals(error.status, 400);
  });
}

Deno.test("requiredParam() refuses to do without a parameter, but not an empty one", () => {
  const params = requestParams(context("topic="));

  assertEquals(requiredParam(params, "topic"), "");
  assertEquals(assertThrows(() => requiredParam(params, "node"), HttpError, "MISSING_ARG_NODE").status, 400);
});
