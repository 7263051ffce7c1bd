import { assertEquals, assertMatch } from "@std/assert";
import { Sessions, SESSIONS_MAX, USER_SESSIONS_MAX } from "../../../src/nsqadmin/login/sessions.ts";

const SESSION_IDLE_MS = 3_600_000;
const ANNA = { user: "anna", passwordText: "hash" };

Deno.test("Sessions have ids of 128 bits, each another one", () => {
  const sessions = new Sessions(SESSION_IDLE_MS);
  const ids = Array.from({ length: USER_SESSIONS_MAX }, () => sessions.begin(ANNA, 0));

  assertEquals(new Set(ids).size, USER_SESSIONS_MAX);
  for (const id of ids) assertMatch(id, /^[0-9a-f]{32}$/);
});

Deno.test("A session ends when it was not used for long, and whoever looks at it does not use it", () => {
  const sessions = new Sessions(SESSION_IDLE_MS);
  const id = sessions.begin(ANNA, 0);
  assertEquals(sessions.use(id, SESSION_IDLE_MS - 1), ANNA);

  const endMs = 2 * SESSION_IDLE_MS - 1;
  assertEquals(sessions.get(id, endMs - 1), ANNA);

  assertEquals([sessions.get(id, endMs), sessions.use(id, endMs), sessions.count], [undefined, undefined, 0]);
});

Deno.test("A session lasts for ever where there is no limit", () => {
  const sessions = new Sessions(0);
  const id = sessions.begin(ANNA, 0);

  assertEquals(sessions.get(id, Number.MAX_SAFE_INTEGER), ANNA);
});

Deno.test("Of a user's sessions the one ends that was not used for the longest time", () => {
  const sessions = new Sessions(SESSION_IDLE_MS);
  const others = sessions.begin({ ...ANNA, user: "ben" }, 0);
  const [first, second] = Array.from({ length: USER_SESSIONS_MAX }, (_, i) => sessions.begin(ANNA, i));
  sessions.use(first, 100);

  sessions.begin(ANNA, 101);

  assertEquals([first, second, others].map((id) => sessions.get(id, 101)?.user), ["anna", undefined, "ben"]);
});

Deno.test("Of all sessions the one ends that was not used for the longest time", () => {
  const sessions = new Sessions(SESSION_IDLE_MS);
  const ids = Array.from(
    { length: SESSIONS_MAX },
    (_, i) => sessions.begin({ ...ANNA, user: `user ${i}` }, i),
  );
  sessions.use(ids[0], SESSIONS_MAX);
  assertEquals(sessions.count, SESSIONS_MAX);

  sessions.begin(ANNA, SESSIONS_MAX);

  const nowMs = SESSIONS_MAX;
  assertEquals([sessions.get(ids[0], nowMs)?.user, sessions.get(ids[1], nowMs)], ["user 0", undefined]);
  assertEquals(sessions.count, SESSIONS_MAX);
});

Deno.test("Sessions end one by one, and all that may not go on", () => {
  const sessions = new Sessions(SESSION_IDLE_MS);
  const [first, second] = [sessions.begin(ANNA, 0), sessions.begin(ANNA, 0)];
  const third = sessions.begin({ ...ANNA, passwordText: "another" }, 0);

  sessions.end(first);
  sessions.endUnless(({ passwordText }) => passwordText === "another");

  assertEquals([first, second, third].map((id) => sessions.get(id, 0) !== undefined), [false, false, true]);
});
