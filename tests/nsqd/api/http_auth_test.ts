import { assertEquals, assertRejects } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { HttpError } from "../../../src/http/http_error.ts";
import { RequestContext } from "../../../src/http/request_context.ts";
import { HttpAuth, REMEMBERED_MAX } from "../../../src/nsqd/api/http_auth.ts";
import { AuthState } from "../../../src/nsqd/session/auth.ts";
import { SharedRules } from "../../../src/nsqd/session/auth_rules.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { httpRequest } from "../../support/http_call.ts";

const PLACE = { topic: "t", channel: "c" };
const ALLOWED = { ttl: 60, authorizations: [{ topic: "t", channels: ["c"], permissions: ["subscribe"] }] };

/** An auth that asks a server that always says the same, and the secrets that it was asked about. */
function httpAuth(answer: unknown = ALLOWED) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const shared = new SharedRules(clock);
  const auth = new HttpAuth({
    clock,
    logger: new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} }),
    authorize(_, secret) {
      asked.push(secret);
      return AuthState.read(answer, shared, clock.monotonicMs());
    },
  });
  const check = (secret: string, place = PLACE) => {
    const headers = { authorization: `Bearer ${secret}` };
    return auth.check(new RequestContext(httpRequest({ target: "/receive", headers })), place);
  };
  return { auth, asked, clock, check };
}

Deno.test("HttpAuth asks about a token once, as long as the answer is valid", async () => {
  const { asked, clock, check } = httpAuth();
  await Promise.all([check("a"), check("a")]);
  clock.advance(60_000);
  await check("a");
  assertEquals(asked, ["a"]);
  clock.advance(1);
  await check("a");

  assertEquals(asked, ["a", "a"]);
});

Deno.test(`HttpAuth remembers the last ${REMEMBERED_MAX} tokens`, async () => {
  const { asked, check } = httpAuth();
  for (let i = 0; i <= REMEMBERED_MAX; i++) await check(`token ${i}`.replace(" ", ""));
  asked.length = 0;
  await check("token1");
  await check("token0");

  assertEquals(asked, ["token0"]);
});

Deno.test("HttpAuth refuses what the answer does not allow, and asks again after a failure", async () => {
  const { check } = httpAuth();
  const forbidden = await assertRejects(() => check("a", { topic: "t", channel: "d" }), HttpError);
  assertEquals([forbidden.status, forbidden.message], [403, "FORBIDDEN"]);

  const { asked, check: checkFailing } = httpAuth({ ttl: 0, authorizations: [] });
  for (let i = 0; i < 2; i++) {
    const failed = await assertRejects(() => checkFailing("a"), HttpError);
    assertEquals([failed.status, failed.message], [503, "AUTH_FAILED"]);
  }
  assertEquals(asked, ["a", "a"]);
});
