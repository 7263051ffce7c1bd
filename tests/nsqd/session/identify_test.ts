import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { failure, type Frame, i32, identify, response, withBody } from "../../support/frames.ts";
import { inMemory } from "../../support/nsqd_in_memory.ts";

const OK = response("OK");

/** What nsqd answers a client that asks for nothing but an answer. */
const NEGOTIATED = {
  max_rdy_count: 2500,
  version: "1.3.0",
  max_msg_timeout: 900_000,
  msg_timeout: 60_000,
  tls_v1: false,
  deflate: false,
  deflate_level: 6,
  max_deflate_level: 6,
  snappy: false,
  sample_rate: 0,
  auth_required: false,
  output_buffer_size: 16_384,
  output_buffer_timeout: 250,
  topology_region: "",
  topology_zone: "",
};

/** What is asked for, and what of the answer differs then. */
const ASKED: readonly (readonly [asked: Record<string, unknown>, differs: Partial<typeof NEGOTIATED>])[] = [
  [{}, {}],
  [{ client_id: "me", hostname: "here", user_agent: "test/1" }, {}],
  [{ msg_timeout: 0 }, {}],
  [{ msg_timeout: 1000 }, { msg_timeout: 1000 }],
  [{ msg_timeout: 900_000 }, { msg_timeout: 900_000 }],
  [{ sample_rate: 99 }, { sample_rate: 99 }],
  [{ output_buffer_size: 0 }, {}],
  [{ output_buffer_size: 64 }, { output_buffer_size: 64 }],
  [{ output_buffer_size: 65_536 }, { output_buffer_size: 65_536 }],
  [{ output_buffer_size: -1 }, { output_buffer_size: 1, output_buffer_timeout: 0 }],
  [{ output_buffer_timeout: 25 }, { output_buffer_timeout: 25 }],
  [{ output_buffer_timeout: 30_000 }, { output_buffer_timeout: 30_000 }],
  [{ output_buffer_timeout: -1 }, { output_buffer_timeout: 0 }],
  [{ heartbeat_interval: 1000 }, {}],
  [{ heartbeat_interval: 60_000 }, {}],
  [{ heartbeat_interval: -1 }, {}],
  // There is no certificate.
  [{ tls_v1: true }, {}],
  [{ Msg_Timeout: 2000, SAMPLE_RATE: 5 }, { msg_timeout: 2000, sample_rate: 5 }],
  [{ msg_timeout: null, client_id: null, unknown: [1] }, {}],
];

for (const [asked, differs] of ASKED) {
  Deno.test(
    `Session negotiates ${JSON.stringify(asked)}`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      const [answer] = await client.ask(identify({ ...asked, feature_negotiation: true }));

      assert(answer.type === "response");
      assertEquals(JSON.parse(answer.text), { ...NEGOTIATED, ...differs });
      assertEquals(Object.keys(JSON.parse(answer.text)), Object.keys(NEGOTIATED));
    }),
  );

  Deno.test(
    `Session answers ${JSON.stringify(asked)} with OK when features are not to be negotiated`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(identify(asked)), [OK]);
    }),
  );
}

Deno.test(
  "Session negotiates with the options in force",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const [answer] = await client.ask(identify({ feature_negotiation: true }));

    assert(answer.type === "response");
    assertEquals(JSON.parse(answer.text), {
      ...NEGOTIATED,
      max_rdy_count: 7,
      max_msg_timeout: 120_000,
      msg_timeout: 1500,
      max_deflate_level: 3,
      deflate_level: 3,
      output_buffer_timeout: 100,
      topology_region: "eu",
      topology_zone: "eu-1",
    });
  }, {
    maxRdyCount: 7,
    maxMsgTimeoutMs: 120_000,
    msgTimeoutMs: 1500,
    maxDeflateLevel: 3,
    outputBufferTimeoutMs: 100,
    topologyRegion: "eu",
    topologyZone: "eu-1",
  }),
);

Deno.test(
  "Session remembers who the client says it is",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    const before = [client.session.clientId, client.session.hostname];

    const data = {
      client_id: "me",
      hostname: "here",
      user_agent: "test/1",
      topology_zone: "z",
      topology_region: "r",
    };
    await client.ask(identify(data));

    const { clientId, hostname, userAgent, topologyZone, topologyRegion } = client.session;
    assertEquals(before, ["127.0.0.1", "127.0.0.1"]);
    assertEquals([clientId, hostname, userAgent, topologyZone, topologyRegion], [
      "me",
      "here",
      "test/1",
      "z",
      "r",
    ]);
  }),
);

Deno.test(
  "Session takes a second IDENTIFY before SUB, as NSQ does",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    assertEquals(await client.ask(identify({ msg_timeout: 1000 }), identify({ msg_timeout: 2000 })), [
      OK,
      OK,
    ]);
    assertEquals(client.session.settings.msgTimeoutMs, 2000);
  }),
);

/** What cannot be asked for, and what is answered. */
const REFUSED: readonly (readonly [asked: unknown, error: string])[] = [
  [{ heartbeat_interval: 999 }, "E_BAD_BODY IDENTIFY heartbeat interval (999) is invalid"],
  [{ heartbeat_interval: 60_001 }, "E_BAD_BODY IDENTIFY heartbeat interval (60001) is invalid"],
  [{ heartbeat_interval: -2 }, "E_BAD_BODY IDENTIFY heartbeat interval (-2) is invalid"],
  [{ output_buffer_size: 63 }, "E_BAD_BODY IDENTIFY output buffer size (63) is invalid"],
  [{ output_buffer_size: 65_537 }, "E_BAD_BODY IDENTIFY output buffer size (65537) is invalid"],
  [{ output_buffer_size: -2 }, "E_BAD_BODY IDENTIFY output buffer size (-2) is invalid"],
  [{ output_buffer_timeout: 24 }, "E_BAD_BODY IDENTIFY output buffer timeout (24) is invalid"],
  [{ output_buffer_timeout: 30_001 }, "E_BAD_BODY IDENTIFY output buffer timeout (30001) is invalid"],
  [{ sample_rate: -1 }, "E_BAD_BODY IDENTIFY sample rate (-1) is invalid"],
  [{ sample_rate: 100 }, "E_BAD_BODY IDENTIFY sample rate (100) is invalid"],
  [{ msg_timeout: 999 }, "E_BAD_BODY IDENTIFY msg timeout (999) is invalid"],
  [{ msg_timeout: 900_001 }, "E_BAD_BODY IDENTIFY msg timeout (900001) is invalid"],
  [{ msg_timeout: -1 }, "E_BAD_BODY IDENTIFY msg timeout (-1) is invalid"],
  [{ msg_timeout: "1000" }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ msg_timeout: 1000.5 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ sample_rate: 2 ** 31 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ client_id: 5 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [{ feature_negotiation: 1 }, "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [[], "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  ["text", "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [
    { feature_negotiation: true, deflate: true, snappy: true },
    "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression",
  ],
];

for (const [asked, error] of REFUSED) {
  Deno.test(
    `Session refuses IDENTIFY ${JSON.stringify(asked)}, and closes`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(identify(asked)), [failure(error)]);
      assert(client.connection.closed);
    }),
  );
}

const DECODE_ERROR = failure("E_BAD_BODY IDENTIFY failed to decode JSON body");

/** Bodies as they are written, and what NSQ says to them. */
const WRITTEN: readonly (readonly [body: string, answer: Frame])[] = [
  ['{"msg_timeout":1000,"msg_timeout":2000}', OK],
  ['{"msg_timeout":"x","msg_timeout":2000}', DECODE_ERROR],
  ['{"msg_timeout":1000,"MSG_TIMEOUT":"x"}', DECODE_ERROR],
  ['{"msg_timeout":1000,"msg_timeout":null}', OK],
  ['{"msg_timeout":1000.0}', DECODE_ERROR],
  ['{"msg_timeout":1e3}', DECODE_ERROR],
  ['{"msg_timeout":-0}', OK],
  ['{"unknown":1e3}', OK],
  ['{"sample_rate":2147483648}', DECODE_ERROR],
  [
    '{"msg_timeout":9007199254740991}',
    failure("E_BAD_BODY IDENTIFY msg timeout (9007199254740991) is invalid"),
  ],
  ['{"msg_timeout":9223372036854775808}', DECODE_ERROR],
  ['{"msg_timeout":99999999999999999999}', DECODE_ERROR],
  ["\xef\xbb\xbf{}", DECODE_ERROR],
  [" null ", OK],
  ["{}x", DECODE_ERROR],
];

for (const [body, answer] of WRITTEN) {
  Deno.test(
    `Session answers IDENTIFY ${JSON.stringify(body)} as NSQ does`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(withBody("IDENTIFY", body)), [answer]);
    }),
  );
}

/** An IDENTIFY of that many bytes. */
function identifyOf(length: number): Uint8Array {
  const around = '{"unknown":""}'.length;
  return withBody("IDENTIFY", `{"unknown":"${"x".repeat(length - around)}"}`);
}

const TOO_BIG = failure("E_BAD_BODY IDENTIFY body too big 65537 > 65536");

Deno.test(
  "Session takes an IDENTIFY of 64 KiB, and refuses a larger one before it comes",
  inMemory(async (nsqd) => {
    const [client, other] = [await nsqd.connect(), await nsqd.connect()];

    assertEquals(await client.ask(identifyOf(65_536)), [OK]);
    assertEquals(await other.ask("IDENTIFY\n", i32(65_537)), [TOO_BIG]);
  }),
);

Deno.test(
  "Session takes an IDENTIFY that is as large as --max-body-size lets, if that is less",
  inMemory(async (nsqd) => {
    const [client, other] = [await nsqd.connect(), await nsqd.connect()];

    assertEquals(await client.ask(identifyOf(1000)), [OK]);
    assertEquals(await other.ask(identifyOf(1001)), [
      failure("E_BAD_BODY IDENTIFY body too big 1001 > 1000"),
    ]);
  }, { maxBodySizeBytes: 1000 }),
);

Deno.test(
  "Session keeps the first 1024 characters of what a client calls itself",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    const fields = ["client_id", "hostname", "user_agent", "topology_zone", "topology_region"];

    await client.ask(identify(Object.fromEntries(fields.map((name, i) => [name, "x".repeat(1023 + i)]))));

    const { clientId, hostname, userAgent, topologyZone, topologyRegion } = client.session;
    const lengths = [clientId, hostname, userAgent, topologyZone, topologyRegion].map(({ length }) => length);
    assertEquals(lengths, [1023, 1024, 1024, 1024, 1024]);
    const line = nsqd.lines.find((line) => line.includes("IDENTIFY: "));
    assertLessOrEqual(line?.length ?? Infinity, 6000);
  }),
);
