import { assert, assertEquals, assertMatch } from "@std/assert";
import { AuthState } from "../../../src/nsqd/session/auth.ts";
import { SharedRules } from "../../../src/nsqd/session/auth_rules.ts";
import type { SessionContext } from "../../../src/nsqd/session/session.ts";
import { ALLOW_ALL, AuthServer } from "../../support/auth_server.ts";
import { eventually } from "../../support/eventually.ts";
import { failure, identify, mpub, pub, response, withBody } from "../../support/frames.ts";
import { inMemory, MemoryClient, type NsqdInMemory, publish, settle } from "../../support/nsqd_in_memory.ts";
import { type NsqdInProcess, nsqdTest, withDataPath, withNsqd } from "../../support/nsqd_in_process.ts";

const OK = response("OK");
const HEARTBEAT = response("_heartbeat_");
const SECRET = "s3cret";
const AUTH = withBody("AUTH", SECRET);
const AUTHORIZED_TEXT = '{"identity":"somebody","identity_url":"http://identity","permission_count":1}';
const AUTHORIZED = response(AUTHORIZED_TEXT);
const OPTIONS = { authHttpAddresses: ["auth.test:4181"] };
const PEER = "127.0.0.1:6001";

/** What is asked of the auth servers, each to be answered by the test. */
class Questions {
  readonly secrets: string[] = [];
  readonly #answers: PromiseWithResolvers<AuthState>[] = [];
  readonly #context: SessionContext;
  readonly #shared: SharedRules;

  constructor(nsqd: NsqdInMemory) {
    const authorize = (_client: unknown, secret: string) => {
      const answer = Promise.withResolvers<AuthState>();
      this.secrets.push(secret);
      this.#answers.push(answer);
      return answer.promise;
    };
    this.#context = { ...nsqd, authorize };
    // No time passes: nothing is left for later, however slow the machine is.
    this.#shared = new SharedRules(nsqd.clock);
  }

  /** A client that is about to be asked about. */
  async connect(): Promise<MemoryClient> {
    const client = new MemoryClient(this.#context, PEER);
    await client.send("  V2");
    return client;
  }

  /** A client that has been authorized. */
  async authorized(answer: unknown = ALLOW_ALL): Promise<MemoryClient> {
    const client = await this.connect();
    await client.send(AUTH);
    await this.answer(answer);
    assertEquals(client.frames(), [AUTHORIZED]);
    return client;
  }

  /** Answers the oldest question. */
  async answer(answer: unknown): Promise<void> {
    const state = await AuthState.read(answer, this.#shared, this.#context.clock.monotonicMs());
    this.#answers.shift()?.resolve(state);
    await settle();
  }

  /** Fails to answer the oldest question. */
  async fail(reason: string): Promise<void> {
    this.#answers.shift()?.reject(new Error(reason));
    await settle();
  }
}

function authTest(
  name: string,
  test: (questions: Questions, nsqd: NsqdInMemory) => Promise<void>,
  options = {},
): void {
  Deno.test(name, inMemory((nsqd) => test(new Questions(nsqd), nsqd), { ...OPTIONS, ...options }));
}

// Without permission

const NEEDS_AUTH: readonly (readonly [command: string, sent: Uint8Array | string])[] = [
  ["SUB", "SUB t c\n"],
  ["PUB", pub("t", "a")],
  ["MPUB", mpub("t", ["a"])],
  ["DPUB", withBody("DPUB t 100", "a")],
];

for (const [command, sent] of NEEDS_AUTH) {
  authTest(`Session refuses ${command} before AUTH`, async (questions, { broker }) => {
    const client = await questions.connect();

    assertEquals(await client.ask(sent), [failure(`E_AUTH_FIRST AUTH required before ${command}`)]);
    assert(client.connection.closed);
    assertEquals(broker.topics.size, 0);
  });

  authTest(`Session refuses ${command} that is not allowed`, async (questions, { broker }) => {
    const client = await questions.authorized({
      ...ALLOW_ALL,
      authorizations: [{ topic: "^other$", channels: [".*"], permissions: ["subscribe", "publish"] }],
    });

    const channel = command === "SUB" ? "c" : "";
    assertEquals(await client.ask(sent), [
      failure(`E_UNAUTHORIZED AUTH failed for ${command} on "t" "${channel}"`),
    ]);
    assert(client.connection.closed);
    assertEquals(broker.topics.size, 0);
  });

  authTest(`Session carries out ${command} that is allowed`, async (questions, { broker }) => {
    const client = await questions.authorized();

    assertEquals(await client.ask(sent), [OK]);
    assertEquals([...broker.topics.keys()], ["t"]);
  });
}

authTest("Session takes NOP and IDENTIFY before AUTH", async (questions) => {
  const client = await questions.connect();

  assertEquals(await client.ask("NOP\n", identify({})), [OK]);
});

authTest("Session says in the answer to IDENTIFY that AUTH is required", async (questions) => {
  const client = await questions.connect();

  const [answer] = await client.ask(identify({ feature_negotiation: true }));

  assertMatch(JSON.stringify(answer), /auth_required\\":true/);
});

authTest("Session allows publishing and subscribing apart", async (questions) => {
  const client = await questions.authorized({
    ...ALLOW_ALL,
    authorizations: [{ topic: "^t$", channels: ["^c$"], permissions: ["subscribe"] }],
  });

  assertEquals(await client.ask("SUB t c\n"), [OK]);
  assertEquals(await client.ask(pub("t", "a")), [failure('E_UNAUTHORIZED AUTH failed for PUB on "t" ""')]);
});

// AUTH

authTest("Session answers AUTH with who the client is, and asks with its secret", async (questions, nsqd) => {
  await questions.authorized();

  assertEquals(questions.secrets, [SECRET]);
  const [session] = nsqd.connections;
  assertEquals(session.auth?.state.identity, "somebody");
});

authTest("Session refuses a second AUTH", async (questions) => {
  const client = await questions.authorized();

  assertEquals(await client.ask(AUTH), [failure("E_INVALID AUTH already set")]);
});

authTest("Session refuses AUTH of a client that may do nothing", async (questions) => {
  const client = await questions.connect();

  await client.send(AUTH);
  await questions.answer({ ttl: 60, authorizations: [] });

  assertEquals(client.frames(), [failure("E_UNAUTHORIZED AUTH no authorizations found")]);
  assert(client.connection.closed);
});

authTest(
  "Session tells the log, and not the client, why it could not be authorized",
  async (questions, nsqd) => {
    const client = await questions.connect();

    await client.send(AUTH);
    await questions.fail("failed to auth against auth.test:4181 - Connection refused");

    assertEquals(client.frames(), [failure("E_AUTH_FAILED AUTH failed")]);
    assert(client.connection.closed);
    assertEquals(nsqd.lines.filter((line) => /^(WARNING|ERROR)/.test(line)), [
      `WARNING: PROTOCOL(V2): [${PEER}] AUTH failed failed to auth against auth.test:4181 - Connection refused`,
      `ERROR: [${PEER}] - E_AUTH_FAILED AUTH failed`,
    ]);
  },
);

authTest(
  "Session carries out in order what comes behind AUTH, once that is answered",
  async (questions, nsqd) => {
    const client = await questions.connect();

    await client.send(AUTH, pub("t", "a"), "SUB t c\n");
    await client.send("RDY 5\n");
    await client.send(pub("t", "b"));
    const early = [client.frames().length, nsqd.broker.topics.size];
    await questions.answer(ALLOW_ALL);

    assertEquals(early, [0, 0]);
    const frames = client.frames().map((frame) => frame.type === "message" ? frame.body : frame.text);
    assertEquals(frames.slice(0, 3), [AUTHORIZED_TEXT, "OK", "OK"]);
    assertEquals(frames.slice(3).sort(), ["OK", "a", "b"]);
    assertEquals(questions.secrets, [SECRET]);
  },
);

authTest("Session carries out nothing behind an AUTH that failed", async (questions, { broker }) => {
  const client = await questions.connect();

  await client.send(AUTH, pub("t", "a"));
  await questions.fail("no");

  assertEquals(client.frames(), [failure("E_AUTH_FAILED AUTH failed")]);
  assertEquals(broker.topics.size, 0);
});

authTest(
  "Session sends heartbeats while an auth server is asked, and does not take that for silence",
  async (questions, nsqd) => {
    const client = await questions.connect();
    await client.ask(identify({ heartbeat_interval: 1000 }));

    await client.send(AUTH);
    for (let i = 0; i < 5; i++) await nsqd.pass(1000);
    const heartbeats = client.frames();
    await questions.answer(ALLOW_ALL);
    await nsqd.pass(2000);

    assertEquals(heartbeats, Array(5).fill(HEARTBEAT));
    assertEquals(client.frames(), [AUTHORIZED, HEARTBEAT]);
    assertEquals(client.connection.closed, false);
  },
);

authTest(
  "Session that was closed while an auth server is asked ends with the answer",
  async (questions, nsqd) => {
    const client = await questions.connect();
    await client.send(AUTH, pub("t", "a"));

    client.session.close();
    await questions.answer(ALLOW_ALL);
    await client.done;

    assertEquals([nsqd.connections.size, nsqd.broker.topics.size], [0, 0]);
  },
);

authTest(
  "Session carries nothing out behind a publish that is being synced, when it has found out what it may meanwhile",
  async (questions, nsqd) => {
    const client = await questions.authorized();
    let syncs = 0;
    nsqd.stores.syncFault = () => ++syncs === 2;
    nsqd.stores.holdSyncs();

    // Of each topic it is found out what the permissions say.
    await client.send(pub("t", "a"), pub("u", "b"));
    assertEquals([client.frames(), [...nsqd.broker.topics.keys()]], [[], ["t"]]);
    nsqd.stores.releaseSyncs();
    await settle();

    assertEquals(client.frames(), [OK, failure("E_PUB_FAILED PUB failed input/output error")]);
  },
  { durability: "fsync" },
);

// Expiry

const ONE_SECOND = { ...ALLOW_ALL, ttl: 1 };

authTest(
  "Session asks again before the first command after the permissions have expired",
  async (questions, nsqd) => {
    const client = await questions.authorized(ONE_SECOND);

    await nsqd.pass(1000);
    assertEquals(await client.ask(pub("t", "a")), [OK]);
    await nsqd.pass(1);
    assertEquals(await client.ask(pub("t", "b"), pub("t", "c")), []);
    assertEquals(nsqd.broker.topic("t").depth, 1);
    await questions.answer(ONE_SECOND);

    assertEquals(client.frames(), [OK, OK]);
    assertEquals(questions.secrets, [SECRET, SECRET]);
  },
);

for (const stepMs of [90_000, 3_600_000, -3_600_000]) {
  authTest(
    `Session goes by its permissions for their time, though the clock is set by ${stepMs / 1000} s`,
    async (questions, nsqd) => {
      const client = await questions.authorized(ONE_SECOND);

      await nsqd.step(stepMs);
      await nsqd.pass(1000);
      assertEquals(await client.ask(pub("t", "a")), [OK]);
      await nsqd.pass(1);
      assertEquals(await client.ask(pub("t", "b")), []);
      await questions.answer(ONE_SECOND);

      assertEquals(client.frames(), [OK]);
    },
  );
}

for (const [command, sent] of NEEDS_AUTH) {
  authTest(`Session asks again before ${command}, and carries it out once`, async (questions, nsqd) => {
    const client = await questions.authorized(ONE_SECOND);
    await nsqd.pass(1001);

    assertEquals(await client.ask(sent), []);
    await questions.answer(ONE_SECOND);

    assertEquals(client.frames(), [OK]);
    if (command === "PUB" || command === "MPUB") assertEquals(nsqd.broker.topic("t").depth, 1);
  });
}

authTest("Session asks again for a command that comes in pieces", async (questions, nsqd) => {
  const client = await questions.authorized(ONE_SECOND);
  await nsqd.pass(1001);
  const command = mpub("t", ["first", "second"]);

  for (const byte of command) await client.send(Uint8Array.of(byte));
  await questions.answer(ONE_SECOND);

  assertEquals(client.frames(), [OK]);
  assertEquals([nsqd.broker.topic("t").depth, questions.secrets.length], [2, 2]);
});

authTest("Session goes by what it is told when it asks again", async (questions, nsqd) => {
  const client = await questions.authorized(ONE_SECOND);
  await nsqd.pass(1001);

  await client.send(pub("t", "a"));
  await questions.answer({
    ttl: 60,
    authorizations: [{ topic: "^u$", channels: [".*"], permissions: ["publish"] }],
  });

  assertEquals(client.frames(), [failure('E_UNAUTHORIZED AUTH failed for PUB on "t" ""')]);
});

authTest("Session refuses a client that may do nothing any more", async (questions, nsqd) => {
  const client = await questions.authorized(ONE_SECOND);
  await nsqd.pass(1001);

  await client.send(pub("t", "a"));
  await questions.answer({ ttl: 60, authorizations: [] });

  assertEquals(client.frames(), [failure('E_UNAUTHORIZED AUTH failed for PUB on "t" ""')]);
});

authTest("Session refuses a client that cannot be asked about again", async (questions, nsqd) => {
  const client = await questions.authorized(ONE_SECOND);
  await nsqd.pass(1001);

  await client.send(pub("t", "a"));
  await questions.fail("no");

  assertEquals(client.frames(), [failure("E_AUTH_FAILED AUTH failed")]);
  assertEquals(nsqd.broker.topics.size, 0);
});

authTest(
  "Session goes on delivering, and takes answers, when the permissions have expired",
  async (questions, nsqd) => {
    const client = await questions.authorized(ONE_SECOND);
    await client.ask("SUB t c\n");
    await client.send("RDY 1\n");
    await nsqd.pass(1001);

    await publish(nsqd, "a");
    const [message] = client.frames();
    assert(message.type === "message");
    await client.send(`FIN ${message.id}\n`);

    assertEquals([message.body, questions.secrets.length], ["a", 1]);
    assertEquals(nsqd.broker.topic("t").channel("c").inFlightCount, 0);
  },
);

// With an auth server

function withAuthServer(
  name: string,
  answer: ConstructorParameters<typeof AuthServer>[0],
  test: (nsqd: NsqdInProcess, server: AuthServer) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using server = new AuthServer(answer);
    await withDataPath(async (dataPath) => {
      await withNsqd(dataPath, { authHttpAddresses: [server.address] }, (nsqd) => test(nsqd, server));
    });
  });
}

withAuthServer(
  "Nsqd.authorize() tells the auth server who asks",
  () => Response.json(ALLOW_ALL),
  async (nsqd, server) => {
    using client = await nsqd.connect();

    assertEquals(await client.ask(AUTH), AUTHORIZED_TEXT);

    assertEquals(await client.ask(pub("t", "a")), "OK");
    assertEquals(server.queries.map(({ target }) => target), [
      "/auth?common_name=&remote_ip=127.0.0.1&secret=s3cret&tls=false",
    ]);
  },
);

const never = Promise.withResolvers<Response>();

withAuthServer("Nsqd.stop() does not wait for an auth server", () => never.promise, async (nsqd, server) => {
  using client = await nsqd.connect();
  await client.send(AUTH);
  await eventually("the server is asked", () => server.queries.length === 1);

  await nsqd.nsqd.stop();

  assertEquals(nsqd.lines.filter((line) => /timed out|still running/.test(line)), []);
  never.resolve(new Response());
});

nsqdTest("Session never logs a client's secret, whatever happens", async (nsqd) => {
  const changed = await fetch(`${nsqd.httpUrl}/config/log_level`, { method: "PUT", body: "debug" });
  assertEquals([changed.status, await changed.text()], [200, "1"]);
  using client = await nsqd.connect();

  assertEquals(await client.ask(AUTH), "E_AUTH_FAILED AUTH failed");

  assertEquals(nsqd.lines.filter((line) => line.includes(SECRET)), []);
  assertEquals(nsqd.lines.filter((line) => line.includes("AUTH failed failed to auth against")).length, 1);
}, { authHttpAddresses: ["host.invalid:4181", "no host"] });
