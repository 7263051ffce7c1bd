import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpError } from "../../../src/http/http_error.ts";
import { RequestContext } from "../../../src/http/request_context.ts";
import { CHECKS_MAX, Logins, LOGINS_MAX } from "../../../src/nsqadmin/login/logins.ts";
import { LOGIN_WAIT_MS, WRONG_LOGINS_MAX } from "../../../src/nsqadmin/login/throttle.ts";
import { UserFile } from "../../../src/nsqadmin/login/user_file.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { httpRequest } from "../../support/http_call.ts";
import { TempFolder } from "../../support/interop.ts";
import { basic, cheapHash, PASSWORD, tokenHash, userLines, usersOf } from "../../support/login.ts";

const TOKEN = "0123456789abcdef";
const SESSION_IDLE_MS = 1000;

function setUp(users: UserFile = usersOf({ anna: "admin", ben: "viewer" }), path = "") {
  const clock = new FakeClock();
  let changes = 0;
  const logins = new Logins({
    users,
    path,
    clock,
    sessionIdleMs: SESSION_IDLE_MS,
    basePath: "/",
    isSecure: () => false,
    onChange: () => changes++,
  });
  return { clock, logins, changes: () => changes };
}

/** A request from an address. */
function from(address: string, headers: Readonly<Record<string, string>> = {}): RequestContext {
  return new RequestContext(httpRequest({ target: "/", headers }), address);
}

/** As `fetch` would send it. */
function withBasic(address: string, user: string, password?: string): RequestContext {
  return from(address, { authorization: basic(user, password).Authorization });
}

/** What is answered to who is refused. */
async function refusal(work: Promise<unknown>): Promise<[status: number, text: string, retryAfter?: string]> {
  const { status, message, headers } = await assertRejects(() => work, HttpError);
  const retryAfter = headers.find(([name]) => name === "Retry-After")?.[1];
  return retryAfter === undefined ? [status, message] : [status, message, retryAfter];
}

/** Logs in; what a browser sends from then on. */
async function cookieOf(logins: Logins, user = "anna"): Promise<Readonly<Record<string, string>>> {
  const [[name, value]] = await logins.logIn(from("1.1.1.1:1"), { name: user, password: PASSWORD });
  assertEquals(name, "Set-Cookie");
  return { cookie: value.split(";")[0] };
}

for (
  const [what, user, address] of [
    ["the same user from anywhere", "anna", (i: number) => `10.0.0.${i}:1`],
    ["somebody whom there is not", "nobody", (i: number) => `10.0.0.${i}:1`],
    ["anybody from the same address", undefined, () => "10.0.0.1:1"],
    ["anybody from the same network of IPv6", undefined, (i: number) => `[2001:db8::${i}]:1`],
  ] as const
) {
  Deno.test(`Logins holds up who is wrong too often, of ${what}`, async () => {
    const { logins, clock } = setUp();
    const request = (i: number, password?: string) =>
      withBasic(address(i), user ?? `user${i}`, password ?? "wrong");
    for (let i = 0; i < WRONG_LOGINS_MAX; i++) {
      assertEquals(await refusal(logins.identify(request(i))), [401, "INVALID_CREDENTIALS"]);
    }

    // Also who is right.
    const refused = await refusal(logins.identify(request(60, PASSWORD)));
    assertEquals(refused, [429, "TOO_MANY_WRONG_LOGINS", String(LOGIN_WAIT_MS / 1000)]);
    await logins.identify(withBasic("192.0.2.1:1", "ben"));
    clock.advance(LOGIN_WAIT_MS - 1);
    assertEquals((await refusal(logins.identify(request(60)))).slice(0, 3), [
      429,
      "TOO_MANY_WRONG_LOGINS",
      "1",
    ]);
    clock.advance(1);
    assertEquals(await refusal(logins.identify(request(60))), [401, "INVALID_CREDENTIALS"]);
    assertEquals((await refusal(logins.identify(request(60))))[0], 429);
  });
}

Deno.test("Who guesses from one address keeps the user out for a minute, and not for ever", async () => {
  const { logins, clock } = setUp();
  const guess = () => refusal(logins.identify(withBasic("10.0.0.1:1", "anna", "wrong")));
  for (let i = 0; i < WRONG_LOGINS_MAX; i++) await guess();
  assertEquals((await refusal(logins.identify(withBasic("192.0.2.1:1", "anna"))))[0], 429);

  clock.advance(LOGIN_WAIT_MS);
  assertEquals([(await guess())[0], (await guess())[0]], [401, 429]);

  await logins.identify(withBasic("192.0.2.1:1", "anna"));
});

Deno.test("A session is that of its host's port", async () => {
  const { logins } = setUp();
  const at = (host: string, cookie = "") => from("1.1.1.1:1", { host, cookie });
  const cookies: string[] = [];
  for (const host of ["h:4171", "[::1]:4172", "h"]) {
    const [[, value]] = await logins.logIn(at(host), { name: "anna", password: PASSWORD });
    cookies.push(value.split(";")[0]);
  }

  assertEquals(cookies.map((cookie) => cookie.split("=")[0]), [
    "nsqadmin_session_4171",
    "nsqadmin_session_4172",
    "nsqadmin_session",
  ]);
  for (const host of ["h:4171", "h:4172", "h"]) await logins.identify(at(host, cookies.join("; ")));
  assertEquals((await refusal(logins.identify(at("h:4173", cookies.join("; ")))))[0], 401);
  assertEquals((await refusal(logins.identify(at("h", `x${cookies[2]}`))))[0], 401);
});

Deno.test("Logins counts those who try at the same time one after the other", async () => {
  const { logins } = setUp();
  for (let i = 0; i < WRONG_LOGINS_MAX - 1; i++) {
    await refusal(logins.identify(withBasic(`10.0.0.${i}:1`, "anna", "wrong")));
  }

  const statuses = await Promise.all(
    Array.from(
      { length: 2 * CHECKS_MAX + 2 },
      (_, i) => refusal(logins.identify(withBasic(`10.0.1.${i}:1`, "anna", "wrong"))),
    ),
  );

  // Those that are checked at the same time.
  assertEquals(statuses.filter(([status]) => status === 401).length, CHECKS_MAX);
});

Deno.test("Logins has so many passwords to be checked, and no more", async () => {
  const { logins } = setUp();
  const waiting = Array.from(
    { length: LOGINS_MAX },
    (_, i) => logins.identify(withBasic(`10.0.0.${i}:1`, "anna")),
  );

  const refused = await refusal(logins.identify(withBasic("10.0.1.1:1", "ben")));

  assertEquals(refused, [503, "TOO_MANY_LOGINS", "1"]);
  await Promise.all(waiting);
  await logins.identify(withBasic("10.0.1.1:1", "ben"));
});

Deno.test("Logins does not hold up sessions and tokens of who is held up", async () => {
  const { logins } = setUp(
    UserFile.parse(`anna admin ${await cheapHash(PASSWORD)} ${tokenHash(TOKEN)}`, ""),
  );
  const cookie = await cookieOf(logins);
  for (let i = 0; i < WRONG_LOGINS_MAX; i++) {
    await refusal(logins.identify(withBasic("10.0.0.1:1", "anna", "wrong")));
  }

  for (const headers of [cookie, { authorization: `Bearer ${TOKEN}` }]) {
    const request = from("10.0.0.1:1", headers);
    await logins.identify(request);
    assertEquals(logins.identityOf(request)?.user, "anna");
  }
});

Deno.test("A session ends when it was not used for long, and while it is looked at only", async () => {
  const { logins, clock } = setUp();
  const cookie = await cookieOf(logins);
  const stream = from("1.1.1.1:1", cookie);
  await logins.identify(stream);
  clock.advance(SESSION_IDLE_MS - 1);
  assertEquals(logins.holds(stream), true);

  clock.advance(1);

  assertEquals(logins.holds(stream), false);
  assertEquals(await refusal(logins.identify(from("1.1.1.1:1", cookie))), [401, "UNAUTHORIZED"]);
});

for (
  const [what, headers, lasts] of [
    ["the loads of a page that somebody looks for", { accept: "text/html,*/*;q=0.8" }, true],
    ["what a page loads to stay up to date", { "x-nsqadmin-update": "1" }, false],
    ["its asking to be told of news", { accept: "text/event-stream" }, false],
  ] as const
) {
  Deno.test(`A session lasts as long as there is something done: ${what} ${lasts ? "counts" : "does not"}`, async () => {
    const { logins, clock } = setUp();
    const cookie = await cookieOf(logins);
    clock.advance(SESSION_IDLE_MS - 1);
    await logins.identify(from("1.1.1.1:1", { ...cookie, ...headers }));
    clock.advance(1);

    const isThere = await logins.identify(from("1.1.1.1:1", cookie)).then(() => true, () => false);

    assertEquals(isThere, lasts);
  });
}

Deno.test("Who logs in has another session than before", async () => {
  const { logins } = setUp();
  const before = await cookieOf(logins);

  const [[, value]] = await logins.logIn(from("1.1.1.1:1", before), { name: "anna", password: PASSWORD });

  const after = { cookie: value.split(";")[0] };
  assert(before.cookie !== after.cookie);
  assertEquals((await refusal(logins.identify(from("1.1.1.1:1", before))))[0], 401);
  await logins.identify(from("1.1.1.1:1", after));
});

/** What becomes of somebody with a session, a token and a password when the file is another one. */
for (
  const [what, lines, holds, isLoggedIn] of [
    ["goes on", (hash: string) => `anna admin ${hash} ${tokenHash(TOKEN)}`, [true, true, true], true],
    // He is told anew by another request.
    [
      "has another role",
      (hash: string) => `anna viewer ${hash} ${tokenHash(TOKEN)}`,
      [false, false, false],
      true,
    ],
    ["has another token", (hash: string) => `anna admin ${hash}`, [true, false, true], true],
    ["has another password", () => userLines({ anna: "admin" }).trim() + ` ${tokenHash(TOKEN)}`, [
      false,
      true,
      false,
    ], false],
    ["is gone", (hash: string) => `ben admin ${hash}`, [false, false, false], false],
  ] as const
) {
  Deno.test(`When the file is read again, somebody ${what}`, async () => {
    await using folder = await TempFolder.make();
    const path = `${folder.path}/users`;
    const hash = await cheapHash(PASSWORD);
    await Deno.writeTextFile(path, `anna admin ${hash} ${tokenHash(TOKEN)}\n`);
    const { logins, changes } = setUp(UserFile.read(path), path);
    const cookie = await cookieOf(logins);
    const requests = [cookie, { authorization: `Bearer ${TOKEN}` }, {
      authorization: basic("anna").Authorization,
    }].map((headers) => from("1.1.1.1:1", headers));
    for (const request of requests) await logins.identify(request);
    assertEquals(await logins.hasFileChanged(), false);
    await Deno.writeTextFile(path, `${lines(hash)}\n#`);
    assertEquals([await logins.hasFileChanged(), await logins.hasFileChanged()], [true, false]);
    const before = changes();

    logins.prepare()();

    assertEquals(requests.map((request) => logins.holds(request)), [...holds]);
    assertEquals(changes() - before, 1);
    const again = logins.identify(from("1.1.1.1:1", cookie)).then(() => true, () => false);
    assertEquals([await again, await logins.hasFileChanged()], [isLoggedIn, false]);
  });
}

Deno.test("A file that cannot be used changes nothing", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/users`;
  await Deno.writeTextFile(path, userLines({ anna: "admin" }));
  const { logins } = setUp(UserFile.read(path), path);
  const cookie = await cookieOf(logins);

  await Deno.remove(path);

  assertEquals([await logins.hasFileChanged(), await logins.hasFileChanged()], [true, false]);
  await assertRejects(async () => await logins.prepare()());
  await logins.identify(from("1.1.1.1:1", cookie));
});

Deno.test("A name that nobody has costs as much as one with a password", async () => {
  // Hashes of another cost than the usual one, of which there are none else.
  const file = `anna admin ${await cheapHash(PASSWORD)}`;
  const least = { anna: Infinity, nobody: Infinity };
  // In turns, so that a machine that does other things hinders both, and the least of many, which nothing has hindered.
  for (let round = 0; round < 5; round++) {
    const { logins } = setUp(UserFile.parse(file, ""));
    for (let i = 0; i < 9; i++) {
      for (const user of ["anna", "nobody"] as const) {
        const startMs = performance.now();
        await refusal(logins.identify(withBasic(`10.0.0.${i}:1`, user, "wrong")));
        least[user] = Math.min(least[user], performance.now() - startMs);
      }
    }
  }

  const { anna: known, nobody: unknown } = least;
  // The usual cost is 16 times as high, and none at all a hundredth.
  assert(unknown < 4 * known && known < 4 * unknown, `${known} ms and ${unknown} ms`);
});

for (
  const authorization of ["Basic", "Basic !", "Basic YQ==", "Digest x", "", "Bearer", `Bearer ${TOKEN}`]
) {
  Deno.test(`Logins refuses ${JSON.stringify(authorization)}, also with a session`, async () => {
    const { logins } = setUp();
    const headers = { ...await cookieOf(logins), authorization };

    const [status] = await refusal(logins.identify(from("1.1.1.1:1", headers)));

    assertEquals(status, 401);
  });
}
