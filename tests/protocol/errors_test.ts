import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { type ErrorCode, ProtocolError } from "../../src/protocol/errors.ts";

/** Every code, and whether the connection is closed after it. */
const FATAL: Readonly<Record<ErrorCode, boolean>> = {
  E_INVALID: true,
  E_BAD_BODY: true,
  E_BAD_CHANNEL: true,
  E_BAD_MESSAGE: true,
  E_BAD_PROTOCOL: true,
  E_BAD_TOPIC: true,
  E_AUTH_DISABLED: true,
  E_AUTH_ERROR: true,
  E_AUTH_FAILED: true,
  E_AUTH_FIRST: true,
  E_UNAUTHORIZED: true,
  E_DPUB_FAILED: true,
  E_FIN_FAILED: false,
  E_IDENTIFY_FAILED: true,
  E_MPUB_FAILED: true,
  E_PUB_FAILED: true,
  E_REQ_FAILED: false,
  E_SUB_FAILED: true,
  E_TOUCH_FAILED: false,
};

for (const [code, fatal] of Object.entries(FATAL)) {
  Deno.test(`ProtocolError.fatal is ${fatal} for ${code}`, () => {
    assertEquals(new ProtocolError(code as ErrorCode, "why").fatal, fatal);
  });
}

Deno.test("ProtocolError.message is what goes over the wire, its cause is kept apart", () => {
  const cause = new Error("disk full");

  const error = new ProtocolError("E_PUB_FAILED", "PUB failed exiting", { cause });

  assertInstanceOf(error, Error);
  assertEquals([error.name, error.code, error.message], [
    "ProtocolError",
    "E_PUB_FAILED",
    "E_PUB_FAILED PUB failed exiting",
  ]);
  assertStrictEquals(error.cause, cause);
});
