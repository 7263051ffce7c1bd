import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { LOGIN_FORM_SIZE_MAX, NEXT_LENGTH_MAX } from "../../../src/nsqadmin/console/login.tsx";
import { nsqadminRoutes } from "../../../src/nsqadmin/http_api.ts";
import { WRONG_LOGINS_MAX } from "../../../src/nsqadmin/login/throttle.ts";
import { UserFile } from "../../../src/nsqadmin/login/user_file.ts";
import type { NsqadminOptions } from "../../../src/nsqadmin/options.ts";
import { pageAt } from "../../support/console_pages.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { TempFolder } from "../../support/interop.ts";
import {
  basic,
  cheapHash,
  logIn,
  PASSWORD,
  submitLogin,
  tokenHash,
  userLines,
  usersOf,
} from "../../support/login.ts";
import { type NsqadminInProcess, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

const TOKEN = "0123456789abcdef";
const EVERYBODY = { vera: "viewer", petra: "peek", olga: "operator", anna: "admin", both: "operator,peek" };

/** A test of an nsqadmin with users, in front of a node that answers everything. */
function loginTest(
  name: string,
  test: (admin: NsqadminInProcess, log: () => string) => Promise<void>,
  { users = usersOf(EVERYBODY), ...options }: Partial<NsqadminOptions> & { readonly users?: UserFile } = {},
): void {
  Deno.test(name, async () => {
    await using nsqd = new FakeHttp(() => Response.json({ topics: [] }));
    const given = { nsqdHttpAddresses: [nsqd.address], ...options };
    await withNsqadmin(given, (admin) => test(admin, () => admin.lines.join("\n")), { users });
  });
}

/** What stands in the activity, the newest first. */
async function activityOf(admin: NsqadminInProcess): Promise<Record<string, unknown>[]> {
  const { json } = await admin.ask("GET", "/api/activity", { headers: await logIn(admin, "vera") });
  return (json as { activity: Record<string, unknown>[] }).activity.slice(1);
}

loginTest("Whoever has not logged in gets to nothing but health, files and the login page", async (admin) => {
  const open: string[] = [];
  for (const { method, path } of nsqadminRoutes(admin.nsqadmin)) {
    const target = path.replace(/:\w+/g, "x");
    const { status, headers } = await admin.ask(method, target, { body: method === "GET" ? undefined : "" });
    const isPage = status === 303 && headers.get("location")?.startsWith("/login");
    const isRefused = status === 401 && headers.get("www-authenticate") === "Bearer";
    if (path === "/logout" || !isPage && !isRefused) open.push(`${method} ${path}`);
  }

  assertEquals(open, [
    "GET /ping",
    "GET /health/live",
    "GET /health/ready",
    "GET /static/:asset",
    "GET /fonts/:asset",
    "GET /login",
    "POST /logout",
  ]);
});

loginTest(
  "Without a login, pages lead to it and on, and all else is refused without a question",
  async (admin) => {
    const ask = async (target: string, headers: Record<string, string> = {}, method = "GET") => {
      const answer = await admin.ask(method, target, { headers });
      return [answer.status, answer.headers.get("location") ?? answer.headers.get("www-authenticate")];
    };

    const html = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    assertEquals(await ask("/"), [303, "/login"]);
    assertEquals(await ask("/topics/t?sort=-depth&page=2", html), [
      303,
      "/login?next=%2Ftopics%2Ft%3Fsort%3D-depth%26page%3D2",
    ]);
    assertEquals(await ask("/topics?format=csv", { Accept: "text/csv" }), [401, "Bearer"]);
    assertEquals(await ask("/topics", { ...html, Authorization: "Bearer nonsense-nonsense" }), [
      401,
      "Bearer",
    ]);
    assertEquals(await ask("/topics", html, "POST"), [401, "Bearer"]);
    assertEquals(await ask("/events", { Accept: "text/event-stream" }), [401, "Bearer"]);
    assertEquals(await ask("/api/topics"), [401, "Bearer"]);
    assertEquals((await admin.ask("GET", "/api/topics")).json, { message: "UNAUTHORIZED" });

    const refused = new HtmlPage((await admin.ask("POST", "/topics/t", { body: "action=pause" })).text);
    assertStringIncludes(refused.text, "You are not logged in, or not any more: nothing was done. Log in");
    assert(refused.links.includes("/login?next=%2Ftopics%2Ft"));
    // Names of pages are for users.
    assert(!refused.links.includes("/activity"));
  },
);

loginTest(
  "The login page works without script: it sends name, password, and where to go on",
  async (admin) => {
    const page = await pageAt(admin, "/login?next=%2Ftopics%2Ft%3Fpage%3D2");

    assertEquals(page.all("h1"), ["Log in"]);
    assertEquals(page.forms[0].action, "/login");
    assertEquals(page.forms[0].fields, { next: "/topics/t?page=2", user: "", password: "" });
    const answer = await submitLogin(admin, { ...page.forms[0].fields, user: "olga", password: PASSWORD });
    assertEquals([answer.status, answer.headers.get("location")], [303, "/topics/t?page=2"]);
    const cookie = answer.headers.get("set-cookie") ?? "";
    assertMatch(cookie, /^nsqadmin_session_\d+=[0-9a-f]{32}; Path=\/; HttpOnly; SameSite=Lax$/);

    const headers = { Cookie: `theme=dark; ${cookie.split(";")[0]}; other=1` };
    const overview = await pageAt(admin, "/", headers);
    assertStringIncludes(overview.text, "olga (operator) Log out");
    assertEquals((await admin.ask("GET", "/api/topics", { headers })).status, 200);

    const { action, body } = overview.button("Log out");
    const out = await admin.ask("POST", action ?? "", { body, headers });
    assertEquals([out.status, out.headers.get("location")], [303, "/login"]);
    assertMatch(
      out.headers.get("set-cookie") ?? "",
      /^nsqadmin_session_\d+=; Path=\/; HttpOnly; SameSite=Lax; Max-Age=0$/,
    );
    assertEquals((await admin.ask("GET", "/api/topics", { headers })).status, 401);
  },
);

for (
  const [scheme, cookie] of [
    ["https", /; Path=\/sub\/nsq; HttpOnly; SameSite=Lax; Secure$/],
    ["http", /; Path=\/sub\/nsq; HttpOnly; SameSite=Lax$/],
  ] as const
) {
  loginTest(`Below a base path and behind a proxy with ${scheme}, the cookie is for that`, async (admin) => {
    const ask = await admin.ask("GET", "/sub/nsq/nodes");
    assertEquals(ask.headers.get("location"), "/sub/nsq/login?next=%2Fsub%2Fnsq%2Fnodes");
    const overview = await admin.ask("GET", "/sub/nsq");
    assertEquals(overview.headers.get("location"), "/sub/nsq/login?next=%2Fsub%2Fnsq");

    const answer = await submitLogin(admin, { user: "vera", password: PASSWORD }, {
      "X-Forwarded-Proto": scheme,
    });

    assertEquals([answer.status, answer.headers.get("location")], [303, "/sub/nsq/"]);
    assertMatch(answer.headers.get("set-cookie") ?? "", cookie);
  }, { basePath: "/sub/nsq", trustedProxies: ["127.0.0.1"] });
}

loginTest(
  "Whoever says so without being a trusted proxy does not make the cookie one for HTTPS",
  async (admin) => {
    const headers = { "X-Forwarded-Proto": "https" };
    const answer = await submitLogin(admin, { user: "vera", password: PASSWORD }, headers);

    assertMatch(answer.headers.get("set-cookie") ?? "", /; SameSite=Lax$/);
  },
);

for (
  const next of [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%0d\n/evil.example",
    "javascript:alert(1)",
    "topics",
    "",
    `/${"x".repeat(NEXT_LENGTH_MAX)}`,
  ]
) {
  loginTest(`After the login nobody is sent to ${JSON.stringify(next.slice(0, 30))}`, async (admin) => {
    const page = await pageAt(admin, `/login?next=${encodeURIComponent(next)}`);
    assertEquals(Object.keys(page.forms[0].fields), ["user", "password"]);

    const { status, headers } = await submitLogin(admin, { user: "vera", password: PASSWORD, next });

    assertEquals([status, headers.get("location")], [303, "/"]);
  });
}

loginTest("A path as long as it may be is gone on to", async (admin) => {
  const next = `/${"x".repeat(NEXT_LENGTH_MAX - 1)}`;

  const { headers } = await submitLogin(admin, { user: "vera", password: PASSWORD, next });

  assertEquals(headers.get("location"), next);
});

loginTest(
  "A wrong login is the page again, which says nothing of whether there is such a user",
  async (admin) => {
    const pages: string[] = [];
    for (const user of ["vera", "nobody"]) {
      const { status, headers, text } = await submitLogin(admin, { user, password: "wrong", next: "/nodes" });
      assertEquals([status, headers.get("www-authenticate"), headers.get("set-cookie")], [
        401,
        "Bearer",
        null,
      ]);
      const page = new HtmlPage(text);
      assertStringIncludes(page.text, "There is no such user, or that is not the password.");
      assertEquals(page.forms[0].fields, { next: "/nodes", user, password: "" });
      pages.push(text.replaceAll(user, "…"));
    }
    assertEquals(pages[0], pages[1]);
  },
);

loginTest("A form that is too large is refused, and one as large as it may be is read", async (admin) => {
  const fields = { user: "vera", password: PASSWORD, more: "" };
  const more = "x".repeat(LOGIN_FORM_SIZE_MAX - new URLSearchParams(fields).toString().length);

  assertEquals((await submitLogin(admin, { ...fields, more: `${more}x` })).status, 413);
  assertEquals((await submitLogin(admin, { ...fields, more })).status, 303);
});

loginTest("Who is wrong too often gets 429, on the page and by Basic, and a time", async (admin) => {
  for (let i = 1; i <= WRONG_LOGINS_MAX; i++) {
    const { status } = i % 2
      ? await submitLogin(admin, { user: "vera", password: "wrong" })
      : await admin.ask("GET", "/api/topics", { headers: basic("vera", "wrong") });
    assertEquals([i, status], [i, 401]);
  }

  const page = await submitLogin(admin, { user: "vera", password: PASSWORD });
  const script = await admin.ask("GET", "/api/topics", { headers: basic("vera") });

  assertStringIncludes(page.text, "That was wrong too often: try again in a minute.");
  for (const { status, headers } of [page, script]) {
    const seconds = Number(headers.get("retry-after"));
    assertEquals([status, seconds > 50 && seconds <= 60], [429, true]);
  }
});

loginTest("With a trusted proxy it is the client who is held up, not the proxy", async (admin) => {
  const from = (client: string) => ({ "X-Forwarded-For": client });
  for (let i = 0; i < WRONG_LOGINS_MAX; i++) {
    await submitLogin(admin, { user: `user${i}`, password: "wrong" }, from("203.0.113.7"));
  }

  const fields = { user: "vera", password: PASSWORD };
  assertEquals((await submitLogin(admin, fields, from("203.0.113.7"))).status, 429);
  assertEquals((await submitLogin(admin, fields, from("203.0.113.8"))).status, 303);
}, { trustedProxies: ["127.0.0.1"] });

loginTest("Nobody is logged in or out by a page of another site", async (admin) => {
  const headers = await logIn(admin, "vera");
  const evil = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };

  const login = await submitLogin(admin, { user: "anna", password: PASSWORD }, evil);
  const logout = await admin.ask("POST", "/logout", { headers: { ...headers, ...evil } });

  assertEquals([login.status, login.headers.get("set-cookie"), logout.status], [403, null, 403]);
  assertEquals((await admin.ask("GET", "/api/topics", { headers })).status, 200);
});

loginTest("Scripts use a token, or name and password, for API and pages alike", async (admin) => {
  for (
    const headers of [
      { Authorization: `Bearer ${TOKEN}` },
      { Authorization: `bearer ${TOKEN}` },
      basic("anna"),
    ]
  ) {
    assertEquals((await admin.ask("GET", "/api/topics", { headers })).status, 200);
    const page = await pageAt(admin, "/", headers);
    assertStringIncludes(page.text, "anna (admin)");
    // There is no session to end.
    assert(!page.text.includes("Log out"));
    const { status } = await admin.ask("PUT", "/config/log_level", { body: "info", headers });
    assertEquals(status, 200);
  }
}, {
  users: UserFile.parse(`anna admin ${await cheapHash(PASSWORD)} ${tokenHash(TOKEN)}`, ""),
});

/** What takes which right, and who has it. */
const RIGHTS:
  readonly (readonly [method: string, target: string, body: string, allowed: readonly string[]])[] = [
    ["GET", "/api/topics", "", ["vera", "petra", "olga", "anna", "both"]],
    ["GET", "/metrics", "", ["vera", "petra", "olga", "anna", "both"]],
    ["GET", "/activity", "", ["vera", "petra", "olga", "anna", "both"]],
    ["GET", "/topics/t/c/messages", "", ["petra", "anna", "both"]],
    ["GET", "/tap/t", "", ["petra", "anna", "both"]],
    ["GET", "/tap/t/events?ready=0", "", ["petra", "anna", "both"]],
    ["POST", "/tap/t", "seconds=0", ["petra", "anna", "both"]],
    ["POST", "/api/topics", '{"topic":"t"}', ["olga", "anna", "both"]],
    ["POST", "/api/topics/t", '{"action":"pause"}', ["olga", "anna", "both"]],
    ["POST", "/topics/t", "action=pause", ["olga", "anna", "both"]],
    ["POST", "/topics/t", "action=publish&node=n:1&body=x", ["olga", "anna", "both"]],
    ["POST", "/topics/t/c", "action=requeue-message&node=n:1&id=0123456789abcdef", ["olga", "anna", "both"]],
    ["POST", "/api/topics/t", '{"action":"empty"}', ["anna"]],
    ["POST", "/topics/t", "action=ask-delete", ["anna"]],
    ["DELETE", "/api/topics/t", "", ["anna"]],
    ["DELETE", "/api/nodes/n:1", '{"topic":"t"}', ["anna"]],
    ["POST", "/bulk", "action=ask-pause&of=topics&name=t", ["olga", "anna", "both"]],
    ["POST", "/bulk", "action=ask-delete&of=topics&name=t", ["anna"]],
    ["DELETE", "/api/cluster/nodes/n:1", "", ["olga", "anna", "both"]],
    ["POST", "/nodes/n:1", "action=ask-drain", ["anna"]],
    ["POST", "/api/nodes/n:1", '{"action":"drain"}', ["anna"]],
    ["POST", "/api/consumers/kick", "{}", ["anna"]],
    ["POST", "/consumers", "action=ask-kick&topic=t&channel=c&hostname=h", ["anna"]],
    ["POST", "/api/redrives", "{}", ["anna"]],
    ["DELETE", "/api/redrives/x", "", ["anna"]],
    ["GET", "/config/log_level", "", ["anna"]],
    ["PUT", "/config/log_level", "info", ["anna"]],
    // It is about one's own browser.
    ["POST", "/settings", "theme=dark", ["vera", "petra", "olga", "anna", "both"]],
  ];

loginTest("Everybody may do what his roles say, and no more", async (admin) => {
  const cookies = await Promise.all(
    Object.keys(EVERYBODY).map(async (name) => [name, await logIn(admin, name)] as const),
  );
  for (const [method, target, body, allowed] of RIGHTS) {
    const may: string[] = [];
    for (const [name, headers] of cookies) {
      const { status } = await admin.ask(method, target, { headers, body: body === "" ? undefined : body });
      assert(status !== 401, `${name} is logged in`);
      if (status !== 403) may.push(name);
      assert(status !== 404 || method === "DELETE", `${method} ${target} is there`);
    }
    assertEquals([method, target, body, may], [method, target, body, [...allowed]]);
  }
});

loginTest("What a proxy's header says is nothing where users log in", async (admin) => {
  const headers = { ...await logIn(admin, "vera"), "X-Forwarded-User": "anna" };

  assertEquals((await admin.ask("DELETE", "/api/topics/t", { headers })).status, 403);
  assertStringIncludes((await pageAt(admin, "/", headers)).text, "vera (viewer)");
});

Deno.test("Logins, right and wrong, stand in the activity and in the audit log, without what is secret", async () => {
  await using folder = await TempFolder.make();
  const auditLog = `${folder.path}/audit.log`;
  const users = UserFile.parse(`${userLines({ vera: "viewer" })}ci viewer ${tokenHash(TOKEN)}`, "");
  let told: Record<string, unknown>[] = [];
  const lines = await withNsqadmin({ nsqdHttpAddresses: [deadAddress()], auditLog }, async (admin) => {
    const headers = await logIn(admin, "vera");
    await admin.ask("POST", "/logout", { headers });
    // In the wrong field.
    await submitLogin(admin, { user: "hunter2-hunter2", password: "vera" });
    await admin.ask("GET", "/api/topics", { headers: basic("vera", "hunter2-hunter2") });
    await admin.ask("GET", "/api/topics", { headers: { Authorization: "Bearer hunter2-hunter2" } });
    // Who has not tried, and who is right again and again, is no news.
    await admin.ask("GET", "/api/topics");
    await admin.ask("GET", "/api/topics", { headers: { Authorization: `Bearer ${TOKEN}` } });
    told = await activityOf(admin);
  }, { users });

  assertEquals(
    told.map(({ user, action, status, outcome }) => [user, action, status, outcome]),
    [
      [undefined, "log in", 401, "refused"],
      ["vera", "log in", 401, "refused"],
      ["hun…", "log in", 401, "refused"],
      ["vera", "log out", 303, "done"],
      ["vera", "log in", 303, "done"],
    ],
  );
  const audit = await Deno.readTextFile(auditLog);
  const events = audit.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    events.map(({ event, token, method, target, status, reason, value }) =>
      [event, token, method, target, status, reason, value].map((each) => each ?? "").join(" ").trim()
    ),
    [
      "admin vera POST /login 303",
      "admin vera POST /logout 303",
      "admin hun… POST /login 401",
      "refused vera GET /api/topics 401 INVALID_CREDENTIALS",
      "refused  GET /api/topics 401 INVALID_TOKEN",
      "admin vera POST /login 303",
    ],
  );
  const written = audit + lines.join("\n") + JSON.stringify(told);
  for (const secret of ["hunter2", PASSWORD, "correct", TOKEN, "scrypt", "sha256"]) {
    assert(!written.includes(secret), secret);
  }
});

/** What a page is told, bit by bit. */
async function eventsOf(
  admin: NsqadminInProcess,
  headers: Record<string, string>,
): Promise<ReadableStreamDefaultReader<string>> {
  const response = await fetch(`${admin.url}/events`, { headers });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert(reader !== undefined);
  assertEquals((await reader.read()).value, "retry: 2000\n\n");
  return reader;
}

loginTest("An open page is told no more when its user logs out, and others are", async (admin) => {
  const [vera, anna] = [await logIn(admin, "vera"), await logIn(admin, "anna")];
  const [hers, others] = [await eventsOf(admin, vera), await eventsOf(admin, anna)];

  await admin.ask("POST", "/logout", { headers: vera });

  assertEquals((await hers.read()).done, true);
  await admin.nsqadmin.poller.refresh();
  assertMatch((await others.read()).value ?? "", /^event: round/);
  await others.cancel();
});

Deno.test("When the file has changed, roles do at once, and whoever is gone is out", async () => {
  await using folder = await TempFolder.make();
  const userFile = `${folder.path}/users`;
  await Deno.writeTextFile(userFile, userLines({ anna: "admin", vera: "viewer" }), { mode: 0o640 });
  const options = { nsqdHttpAddresses: [deadAddress()], userFile };
  const lines = await withNsqadmin(options, async (admin) => {
    const [anna, vera] = [await logIn(admin, "anna"), await logIn(admin, "vera")];
    const statuses = async () => [
      (await admin.ask("PUT", "/config/log_level", { body: "info", headers: anna })).status,
      (await admin.ask("GET", "/api/topics", { headers: vera })).status,
    ];
    const [annas, veras] = [await eventsOf(admin, anna), await eventsOf(admin, vera)];
    assertEquals(await statuses(), [200, 502]);

    await Deno.writeTextFile(userFile, userLines({ anna: "viewer" }));
    await Deno.chmod(userFile, 0o604);
    admin.nsqadmin.reload();

    assertEquals(await statuses(), [403, 401]);
    assertEquals([(await annas.read()).done, (await veras.read()).done], [true, true]);

    await Deno.writeTextFile(userFile, "anna admin hunter2");
    assertThrows(() => admin.nsqadmin.reload(), Error, "line 1: hash 1 is none of a password");
    assertEquals(await statuses(), [403, 401]);

    // Nobody has to be told.
    await Deno.writeTextFile(userFile, userLines({ anna: "admin" }));
    await admin.nsqadmin.readUsersIfChanged();
    assertEquals(await statuses(), [200, 401]);
    await Deno.writeTextFile(userFile, "hunter2");
    await admin.nsqadmin.readUsersIfChanged();
    await admin.nsqadmin.readUsersIfChanged();
    assertEquals(await statuses(), [200, 401]);
  }, { users: UserFile.read(userFile) });

  const text = lines.join("\n");
  assertStringIncludes(text, "reloaded users");
  assertStringIncludes(text, `"${userFile}" is open to every user of this machine: chmod o= ${userFile}`);
  // It may have looked at the other one by itself, too.
  assertEquals(lines.filter((line) => /failed to reload users - .* a line is a name/.test(line)).length, 1);
  assert(!text.includes("hunter2"));
});

Deno.test("Graphite is not shown what users prove with who they are", async () => {
  await using graphite = new FakeHttp(() => new Response("graph"));
  const options = {
    nsqdHttpAddresses: [deadAddress()],
    graphiteUrl: `http://${graphite.address}`,
    proxyGraphite: true,
  };
  await withNsqadmin(options, async (admin) => {
    const headers = { ...await logIn(admin, "vera"), ...basic("vera") };
    assertEquals((await admin.ask("GET", "/render?target=x", { headers })).text, "graph");
    assertEquals((await admin.ask("GET", "/render?target=x")).status, 401);
  }, { users: usersOf({ vera: "viewer" }) });

  const [{ headers }, ...others] = graphite.requests;
  assertEquals([headers.get("authorization"), headers.get("cookie"), others.length], [null, null, 0]);
});

Deno.test("Without a file of users everybody is an admin, and there is no login", async () => {
  await withNsqadmin({ nsqdHttpAddresses: [deadAddress()] }, async (admin) => {
    assertEquals((await admin.ask("PUT", "/config/log_level", { body: "info" })).status, 200);
    assertEquals([(await admin.ask("GET", "/login")).status, (await admin.ask("POST", "/logout")).status], [
      404,
      404,
    ]);
    assert(!(await pageAt(admin, "/")).text.includes("Log out"));
  });
});
