import { gzipSync } from "node:zlib";
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type AuthRequest,
  type AuthServers,
  AuthState,
  queryAuthServers,
} from "../../../src/nsqd/session/auth.ts";
import { SharedRules } from "../../../src/nsqd/session/auth_rules.ts";
import { ALLOW_ALL, type AuthAnswer, AuthServer } from "../../support/auth_server.ts";
import { certificateTest } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { deadAddress } from "../../support/ports.ts";

const NOW_MS = 1_000_000;
const SECRET = "s3cret";
const REQUEST: AuthRequest = { remoteIp: "10.0.0.1", tls: true, commonName: "client", secret: SECRET };

function read(answer: unknown): Promise<AuthState> {
  return AuthState.read(answer, new SharedRules(), NOW_MS);
}

/** A state with one authorization. */
function stateWith(authorization: unknown): Promise<AuthState> {
  return read({ ttl: 60, authorizations: [authorization] });
}

// What an answer allows

const BOTH = ["subscribe", "publish"];

const RULES: readonly (readonly [
  what: string,
  authorization: { topic?: string; channels?: string[]; permissions?: string[] },
  topic: string,
  channel: string,
  allowed: boolean,
])[] = [
  ["publishing", { topic: ".*", channels: [".*"], permissions: ["publish"] }, "t", "", true],
  [
    "publishing without the permission",
    { topic: ".*", channels: [".*"], permissions: ["subscribe"] },
    "t",
    "",
    false,
  ],
  ["subscribing", { topic: ".*", channels: [".*"], permissions: ["subscribe"] }, "t", "c", true],
  [
    "subscribing without the permission",
    { topic: ".*", channels: [".*"], permissions: ["publish"] },
    "t",
    "c",
    false,
  ],
  [
    "publishing where no channel pattern matches the empty name",
    {
      topic: ".*",
      channels: ["^c$"],
      permissions: BOTH,
    },
    "t",
    "",
    false,
  ],
  [
    "publishing where any channel pattern matches the empty name",
    {
      topic: ".*",
      channels: ["^c$", "^$"],
      permissions: BOTH,
    },
    "t",
    "",
    true,
  ],
  ["publishing without channel patterns", { topic: ".*", permissions: BOTH }, "t", "", false],
  ["anything without permissions", { topic: ".*", channels: [".*"] }, "t", "c", false],
  [
    "a topic that the pattern is part of",
    { topic: "b", channels: [".*"], permissions: BOTH },
    "abc",
    "c",
    true,
  ],
  [
    "a topic that the pattern is not all of",
    { topic: "^b$", channels: [".*"], permissions: BOTH },
    "abc",
    "c",
    false,
  ],
  ["any topic without a pattern", { channels: [".*"], permissions: BOTH }, "abc", "c", true],
  ["a topic in another case", { topic: "^ABC$", channels: [".*"], permissions: BOTH }, "abc", "c", false],
  [
    "a topic in any case with (?i)",
    { topic: "(?i)^ABC$", channels: [".*"], permissions: BOTH },
    "abc",
    "c",
    true,
  ],
  [
    "an ephemeral channel",
    { topic: "t", channels: [`^c#ephemeral\\z`], permissions: BOTH },
    "t",
    "c#ephemeral",
    true,
  ],
  ["another channel", { topic: "t", channels: ["^c$", "^d$"], permissions: BOTH }, "t", "e", false],
  ["a Unicode class", { topic: "^\\p{Ll}+$", channels: [".*"], permissions: BOTH }, "abc", "c", true],
];

for (const [what, authorization, topic, channel, allowed] of RULES) {
  Deno.test(`AuthRules.decide() ${allowed ? "allows" : "refuses"} ${what}`, async () => {
    const { rules } = await stateWith(authorization);

    assertEquals(rules.known(topic, channel), undefined);
    assertEquals(await rules.decide(topic, channel), allowed);
    assertEquals(rules.known(topic, channel), allowed);
  });
}

Deno.test("AuthRules.decide() goes by each authorization as a whole, and any is enough", async () => {
  const { rules } = await read({
    ttl: 60,
    authorizations: [
      { topic: "^a$", channels: [".*"], permissions: ["publish"] },
      { topic: "^b$", channels: [".*"], permissions: ["subscribe"] },
    ],
  });

  assertEquals(
    [
      await rules.decide("a", ""),
      await rules.decide("b", "c"),
      await rules.decide("b", ""),
      await rules.decide("a", "c"),
    ],
    [true, true, false, false],
  );
});

Deno.test("AuthRules match in linear time", async () => {
  const { rules } = await stateWith({ topic: "^(a+)+$", channels: [".*"], permissions: ["publish"] });

  // A backtracking matcher would not be done this century.
  assertEquals(await rules.decide("a".repeat(60) + "b", ""), false);
});

Deno.test("AuthRules remember the last thousand decisions", async () => {
  const { rules } = await stateWith({ topic: "^t", channels: [".*"], permissions: ["publish"] });

  for (let i = 0; i <= 1000; i++) await rules.decide(`t${i}`, "");

  assertEquals([0, 1, 1000].map((i) => rules.known(`t${i}`, "")), [undefined, true, true]);
});

Deno.test("AuthState remembers who it is about, and until when it is valid", async () => {
  const { identity, identityUrl, expiresMs, rules } = await read(ALLOW_ALL);

  assertEquals({ identity, identityUrl, expiresMs, count: rules.count }, {
    identity: "somebody",
    identityUrl: "http://identity",
    expiresMs: NOW_MS + 3_600_000,
    count: 1,
  });
});

Deno.test("AuthState takes names of fields in any case, null for nothing, and fields that it does not know", async () => {
  const state = await read({
    TTL: 1,
    Identity: null,
    identity_url: null,
    more: [{}],
    Authorizations: [{ Topic: "t", CHANNELS: ["c"], Permissions: ["subscribe"], more: 1 }],
  });

  assertEquals([state.identity, state.identityUrl, await state.rules.decide("t", "c")], ["", "", true]);
});

Deno.test("AuthState may allow nothing", async () => {
  assertEquals((await read({ ttl: 1, authorizations: null })).rules.count, 0);
});

const WRONG_ANSWERS: readonly (readonly [answer: unknown, message: string])[] = [
  [null, "answer is no JSON object"],
  [[], "answer is no JSON object"],
  ["yes", "answer is no JSON object"],
  [{}, "invalid TTL 0 (must be >0)"],
  [{ ttl: 0 }, "invalid TTL 0 (must be >0)"],
  [{ ttl: -1 }, "invalid TTL -1 (must be >0)"],
  [{ ttl: "60" }, "answer has a field of the wrong type"],
  [{ ttl: 1.5 }, "answer has a field of the wrong type"],
  [{ ttl: 1e300 }, "answer has a field of the wrong type"],
  [{ ttl: 60, identity: 1 }, "answer has a field of the wrong type"],
  [{ ttl: 60, identity_url: {} }, "answer has a field of the wrong type"],
  [{ ttl: 60, authorizations: {} }, "answer has a list of the wrong type"],
  [{ ttl: 60, authorizations: ["all"] }, "an authorization is no JSON object"],
  [{ ttl: 60, authorizations: [null] }, "an authorization is no JSON object"],
  [{ ttl: 60, authorizations: [{ topic: 1 }] }, "an authorization's topic is no string"],
  [{ ttl: 60, authorizations: [{ topic: "(" }] }, 'unable to compile "("'],
  [{ ttl: 60, authorizations: [{ topic: "(?<=a)b" }] }, 'unable to compile "(?<=a)b"'],
  [{ ttl: 60, authorizations: [{ topic: "(a)\\1" }] }, 'unable to compile "(a)\\\\1"'],
  [{ ttl: 60, authorizations: [{ channels: ["*"] }] }, 'unable to compile "*"'],
  [{ ttl: 60, authorizations: [{ channels: "c" }] }, "answer has a list of the wrong type"],
  [{ ttl: 60, authorizations: [{ channels: [1] }] }, "answer has a list of something else than strings"],
  [{ ttl: 60, authorizations: [{ permissions: ["admin"] }] }, "unknown permission admin"],
  [{ ttl: 60, authorizations: [{ permissions: ["Publish"] }] }, "unknown permission Publish"],
  [
    { ttl: 60, authorizations: [{ permissions: [null] }] },
    "answer has a list of something else than strings",
  ],
];

for (const [answer, message] of WRONG_ANSWERS) {
  Deno.test(`AuthState refuses ${JSON.stringify(answer)}`, async () => {
    await assertRejects(() => read(answer), Error, message);
  });
}

// Limits

/** An answer with a pattern. */
function withPattern(pattern: string): unknown {
  return { ttl: 60, authorizations: [{ topic: pattern, channels: [".*"], permissions: ["publish"] }] };
}

const TOO_LARGE: readonly (readonly [name: string, good: string, bad: string])[] = [
  ["characters", "x".repeat(4096), "x".repeat(4097)],
  ["repeated characters", "x".repeat(500) + "(y){1000}", "(xxxxx){1000}"],
  ["repeated classes", "[a-z]{1000}", "([a-z]{4}[\\]\\d]){1000}"],
  ["repeated repetitions", "(a{30}){30}", "(((abcdefgh){10}){10}){10}"],
  ["repetitions without an end", "(ab){1000,}", "(abcd){1000,}"],
  ["repeated escapes", "(\\(\\)){1000}", "(\\(\\(\\(\\(){1000}"],
  ["classes of Unicode's", "\\pL".repeat(186), "\\pL".repeat(187)],
  ["classes of Unicode's in one class", `[${"\\pL".repeat(204)}]`, `[${"\\PN".repeat(205)}]`],
  ["repeated text", "(\\Qa(b\\E){500}", "(\\Qabcdefghij\\E){1000}"],
];

for (const [name, good, bad] of TOO_LARGE) {
  Deno.test(`AuthRules take no pattern of too many ${name}`, async () => {
    await read(withPattern(good));
    await assertRejects(() => read(withPattern(bad)), Error, "pattern is too large");
  });
}

Deno.test("AuthRules take no answer of more than 5000 patterns, of which the same counts once", async () => {
  const answer = (count: number) => ({
    ttl: 60,
    authorizations: Array.from({ length: count }, (_, i) => ({ topic: `^${i}`, channels: [".*", ".*"] })),
  });

  // With the one for channels.
  assertEquals((await read(answer(4999))).rules.count, 4999);
  await assertRejects(() => read(answer(5000)), Error, "answer has more than 5000 patterns");
});

Deno.test("AuthRules take no answer whose patterns are too large together", async () => {
  const answer = (count: number) => ({
    ttl: 60,
    authorizations: [{
      topic: "",
      channels: Array.from({ length: count }, (_, i) => `${i}` + "x.".repeat(2000)),
    }],
  });

  await read(answer(15));
  await assertRejects(() => read(answer(17)), Error, "answer's patterns are too large together");
});

Deno.test("AuthState takes no identity of more than 1024 characters", async () => {
  for (const field of ["identity", "identity_url"]) {
    await read({ ttl: 60, [field]: "x".repeat(1024) });
    await assertRejects(
      () => read({ ttl: 60, [field]: "x".repeat(1025) }),
      Error,
      "answer has an identity of more than 1024 characters",
    );
  }
});

Deno.test("SharedRules.read() gives the same answer the same rules", async () => {
  const shared = new SharedRules();
  const rules = (pattern: string) =>
    shared.read([{ topic: pattern, channels: [".*"], permissions: ["publish"] }]);

  const [first, second, other] = [await rules("a"), await rules("a"), await rules("b")];

  assertEquals([first === second, first === other], [true, false]);
});

// Asking

function serversAt(addresses: readonly string[], given: Partial<AuthServers> = {}): AuthServers {
  const { signal } = new AbortController();
  return { addresses, method: "get", timeoutMs: 5000, client: undefined, signal, ...given };
}

function ask(servers: AuthServers, request: Partial<AuthRequest> = {}): Promise<AuthState> {
  const clock = { monotonicMs: () => NOW_MS };
  return queryAuthServers(servers, { ...REQUEST, ...request }, { shared: new SharedRules(), clock });
}

const allowAll: AuthAnswer = () => Response.json(ALLOW_ALL);

Deno.test("queryAuthServers() asks with a GET", async () => {
  await using server = new AuthServer(allowAll);

  const state = await ask(serversAt([server.address]));

  assertEquals(state.identity, "somebody");
  assertEquals(server.queries, [{
    method: "GET",
    target: "/auth?common_name=client&remote_ip=10.0.0.1&secret=s3cret&tls=true",
    accept: "application/vnd.nsq; version=1.0",
    contentType: null,
    body: "",
  }]);
});

Deno.test("queryAuthServers() asks with a POST", async () => {
  await using server = new AuthServer(allowAll);

  await ask(serversAt([server.address], { method: "post" }), { tls: false });

  assertEquals(server.queries, [{
    method: "POST",
    target: "/auth",
    accept: "application/vnd.nsq; version=1.0",
    contentType: "application/json",
    body: '{"common_name":["client"],"remote_ip":["10.0.0.1"],"secret":["s3cret"],"tls":["false"]}',
  }]);
});

Deno.test("queryAuthServers() asks whole URLs as they are, with their own query", async () => {
  await using server = new AuthServer(allowAll);

  await ask(serversAt([`http://${server.address}/who?from=nsqd`]));
  await ask(serversAt([`http://${server.address}`], { method: "post" }));

  assertEquals(server.queries.map(({ target }) => target), [
    "/who?from=nsqd&common_name=client&remote_ip=10.0.0.1&secret=s3cret&tls=true",
    "/",
  ]);
});

const SECRETS: readonly (readonly [name: string, secret: string, query: string, json: string])[] = [
  ["punctuation", `a b&c=d%+"~*'`, "a+b%26c%3Dd%25%2B%22~%2A%27", `a b&c=d%+"~*'`],
  // Byte strings, as they come from the connection.
  ["UTF-8", "\xc3\xa9", "%C3%A9", "é"],
  ["bytes that are no UTF-8", "\xff\0", "%FF%00", "\ufffd\0"],
];

for (const [name, secret, query, json] of SECRETS) {
  Deno.test(`queryAuthServers() sends a secret of ${name} as Go does`, async () => {
    await using server = new AuthServer(allowAll);

    await ask(serversAt([server.address]), { secret });
    await ask(serversAt([server.address], { method: "post" }), { secret });

    assertEquals(/secret=([^&]*)/.exec(server.queries[0].target)?.[1], query);
    assertEquals(JSON.parse(server.queries[1].body).secret, [json]);
  });
}

Deno.test("queryAuthServers() asks the next server when one does not answer as it should", async () => {
  await using broken = new AuthServer(() => new Response("ouch", { status: 500 }));
  await using server = new AuthServer(allowAll);

  // It begins with any.
  for (let i = 0; i < 20; i++) await ask(serversAt([broken.address, server.address]));

  assertEquals(server.queries.length, 20);
  assertEquals(broken.queries.length > 0 && broken.queries.length < 20, true);
});

Deno.test("queryAuthServers() says what was wrong with each server when none answers as it should", async () => {
  await using broken = new AuthServer(() => new Response("ouch", { status: 500 }));
  await using wrong = new AuthServer(() => Response.json({ ttl: 0 }));

  const error = await assertRejects(() => ask(serversAt([broken.address, wrong.address])), Error);

  assertEquals(
    error.message.split("; ").sort(),
    [
      `failed to auth against ${broken.address} - got response 500 "ouch"`,
      `failed to auth against ${wrong.address} - invalid TTL 0 (must be >0)`,
    ].sort(),
  );
});

const BAD_ANSWERS: readonly (readonly [name: string, answer: AuthAnswer, message: RegExp])[] = [
  ["403", () => new Response("no", { status: 403 }), /got response 403 "no"$/],
  ["204", () => new Response(null, { status: 204 }), /got response 204 ""$/],
  ["nothing", () => new Response(""), /JSON/],
  ["what is no JSON", () => new Response("<html>"), /JSON/],
  ["half of it", () => new Response('{"ttl": 60, "authorizations": ['), /JSON/],
  ["no object", () => Response.json([]), /answer is no JSON object$/],
  ["a redirection", () => Response.redirect("http://elsewhere.invalid/", 307), /got response 307 ""$/],
  [
    "a long refusal",
    () => new Response("x".repeat(300), { status: 500 }),
    /got response 500 "x{256}\.\.\."$/,
  ],
  ["a byte too much", () => new Response(" ".repeat(2 ** 20 + 1)), /answer is larger than 1048576 bytes$/],
  [
    "more than it was compressed to",
    () => zipped(new Uint8Array(64 * 2 ** 20)),
    /answer is larger than 1048576 bytes$/,
  ],
];

/** A response that is compressed. */
function zipped(body: Uint8Array<ArrayBuffer>): Response {
  return new Response(Uint8Array.from(gzipSync(body)), { headers: { "Content-Encoding": "gzip" } });
}

Deno.test("queryAuthServers() reads an answer of 1 MiB", async () => {
  const text = JSON.stringify(ALLOW_ALL);
  await using server = new AuthServer(() => new Response(text + " ".repeat(2 ** 20 - text.length)));
  await using zipping = new AuthServer(() => zipped(new TextEncoder().encode(text)));

  assertEquals((await ask(serversAt([server.address]))).identity, "somebody");
  assertEquals((await ask(serversAt([zipping.address]))).identity, "somebody");
});

for (const [name, answer, message] of BAD_ANSWERS) {
  Deno.test(`queryAuthServers() fails when the server answers with ${name}`, async () => {
    await using server = new AuthServer(answer);

    const error = await assertRejects(() => ask(serversAt([server.address])), Error);

    assertMatch(error.message, message);
  });
}

Deno.test("queryAuthServers() fails when a server takes too long, and asks the next", async () => {
  const never = Promise.withResolvers<Response>();
  await using silent = new AuthServer(() => never.promise);
  await using server = new AuthServer(allowAll);

  // It begins with any; and on a machine that does much else, the other may take too long, too.
  await eventually("the next one answers", async () => {
    const before = silent.queries.length;
    const state = await ask(serversAt([silent.address, server.address], { timeoutMs: 30 })).catch(() =>
      undefined
    );
    return state?.identity === "somebody" && silent.queries.length > before;
  });
  const error = await assertRejects(() => ask(serversAt([silent.address], { timeoutMs: 30 })), Error);

  assertStringIncludes(error.message, `failed to auth against ${silent.address} - `);
  assertMatch(error.message, /time/i);
  never.resolve(new Response());
});

Deno.test("queryAuthServers() fails when nobody listens, and says so without the secret", async () => {
  const address = deadAddress();

  const error = await assertRejects(() => ask(serversAt([address, `http://${address}/(x)`])), Error);

  assertMatch(error.message, /Connection refused/);
  assertEquals(error.message.includes(SECRET), false);
});

Deno.test("queryAuthServers() says nothing of the credentials in an address", async () => {
  const addresses = [
    "http://me:s3cret@127.0.0.1:1/auth?key=s3cret",
    "me:s3cret@no host:1",
    "http://me:s3cret@:0x",
  ];

  const error = await assertRejects(() => ask(serversAt(addresses)), Error);

  assertEquals(error.message.includes("s3cret"), false, error.message);
});

Deno.test("queryAuthServers() fails with an address that is none", async () => {
  await assertRejects(() => ask(serversAt(["no host:1"])), Error, "failed to auth against no host:1 - ");
});

Deno.test("queryAuthServers() ends when it is told to", async () => {
  const never = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  await using server = new AuthServer(() => (asked.resolve(), never.promise));
  const end = new AbortController();
  const asking = assertRejects(() =>
    ask(serversAt([server.address, server.address], { signal: end.signal }))
  );
  await asked.promise;

  end.abort();

  await asking;
  assertEquals(server.queries.length, 1);
  never.resolve(new Response());
});

certificateTest(
  "queryAuthServers() trusts servers with a certificate of the authority only",
  async (made) => {
    await using server = new AuthServer(allowAll, made.server);
    const addresses = [`https://${server.address}/auth`];
    using client = Deno.createHttpClient({ caCerts: [made.ca.cert] });

    const state = await ask(serversAt(addresses, { client }));
    const error = await assertRejects(() => ask(serversAt(addresses)), Error);

    assertEquals(state.identity, "somebody");
    assertMatch(error.message, /UnknownIssuer/);
  },
);
