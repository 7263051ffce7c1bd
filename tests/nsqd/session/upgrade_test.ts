import { assertEquals, AssertionError, assertMatch, assertRejects } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { defaultOptions } from "../../../src/config/option.ts";
import { Nsqd } from "../../../src/nsqd/nsqd.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../../src/nsqd/options.ts";
import { SnappyDecoder, SnappyEncoder } from "../../../src/protocol/snappy_frames.ts";
import { type Certificates, certificateTest } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { failure, FrameReader, identify, mpub, pub, response, textOf } from "../../support/frames.ts";
import { finishNext } from "../../support/frames_client.ts";
import { testIoThreads } from "../../support/io_threads.ts";
import { LayeredClient, type Layers } from "../../support/layered_client.ts";
import { NsqdInProcess, withDataPath } from "../../support/nsqd_in_process.ts";
import { inMemory } from "../../support/nsqd_in_memory.ts";
import { Random } from "../../support/random.ts";

/** A test with an nsqd that has a certificate. */
function upgradeTest(
  name: string,
  test: (nsqd: NsqdInProcess, made: Certificates) => Promise<void>,
  options: Partial<NsqdOptions> = {},
): void {
  certificateTest(name, (made) =>
    withDataPath(async (dataPath) => {
      const lines: string[] = [];
      const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
      const addresses = { tcpAddress: "127.0.0.1:0", httpAddress: "", httpsAddress: "" };
      const given = { ...addresses, ...testIoThreads, dataPath, nodeId: 5, ...options };
      const tls = { pair: { cert: made.server.cert, key: made.server.key }, rootCa: made.ca.cert };
      const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
      const nsqd = new Nsqd({ options: { ...defaultOptions(NSQD_OPTIONS), ...given }, tls }, logger);
      await nsqd.start();
      try {
        await test(new NsqdInProcess(nsqd, lines), made);
      } catch (error) {
        console.error(`--- log of nsqd ---\n${lines.join("\n")}\n--- end of log ---`);
        throw error;
      } finally {
        await nsqd.stop();
      }
    }));
}

/** The lines that say what was put on connections. */
function upgradesIn({ lines }: NsqdInProcess): string[] {
  return lines.flatMap((line) => /upgrading connection to (.*)/.exec(line)?.[1] ?? []);
}

/** The lines of errors, without the clients' ports. */
function errorsIn({ lines }: NsqdInProcess): string[] {
  return lines.filter((line) => line.startsWith("ERROR")).map((line) =>
    line.replace(/127\.0\.0\.1:\d+/, "peer")
  );
}

const COMBINATIONS: readonly (readonly [name: string, layers: (made: Certificates) => Layers])[] = [
  ["deflate", () => ({ deflate: true })],
  ["snappy", () => ({ snappy: true })],
  ["TLS", ({ ca }) => ({ tls: { ca: ca.cert } })],
  ["TLS 1.2", ({ ca }) => ({ tls: { ca: ca.cert, maxVersion: "TLSv1.2" } })],
  ["TLS and deflate", ({ ca }) => ({ tls: { ca: ca.cert }, deflate: true })],
  ["TLS and snappy", ({ ca }) => ({ tls: { ca: ca.cert }, snappy: true })],
];

for (const [name, layersWith] of COMBINATIONS) {
  upgradeTest(`Session carries large and tiny messages over ${name}`, async (nsqd, made) => {
    const random = new Random(1);
    const bodies = [
      ...Array.from({ length: 200 }, (_, i) => `tiny ${i}`),
      textOf(random.bytes(900_000)),
      "x".repeat(1_000_000),
    ];
    const layers = layersWith(made);
    using producer = await LayeredClient.connect(nsqd.tcpAddress);
    using consumer = await LayeredClient.connect(nsqd.tcpAddress);
    await producer.upgrade(layers);
    await consumer.upgrade(layers);
    assertEquals(await consumer.ask("SUB t c\n"), "OK");
    await consumer.send("RDY 10\n");

    const receiving = finishNext(consumer, bodies.length);
    assertEquals(await producer.ask(mpub("t", bodies.slice(0, 200))), "OK");
    for (const body of bodies.slice(200)) assertEquals(await producer.ask(pub("t", body)), "OK");

    assertEquals(await receiving, bodies);
    assertEquals(await consumer.ask("CLS\n"), "CLOSE_WAIT");
  });

  upgradeTest(`Session sends a fatal error over ${name}, and then ends`, async (nsqd, made) => {
    using client = await LayeredClient.connect(nsqd.tcpAddress);
    await client.upgrade(layersWith(made));

    await client.send("WHAT\n");

    assertEquals(await client.rest(), [failure("E_INVALID invalid command WHAT")]);
    await eventually("the session has ended", () => nsqd.nsqd.connections.size === 0);
  });
}

upgradeTest(
  "Session says what it puts on a connection, in the answer, the log and the statistics",
  async (nsqd, made) => {
    using client = await LayeredClient.connect(nsqd.tcpAddress);

    const answer = await client.upgrade({ tls: { ca: made.ca.cert }, deflate: true }, { deflate_level: 9 });

    const { tls_v1, deflate, deflate_level, snappy } = answer as Record<string, unknown>;
    assertEquals({ tls_v1, deflate, deflate_level, snappy }, {
      tls_v1: true,
      deflate: true,
      deflate_level: 6,
      snappy: false,
    });
    assertEquals(upgradesIn(nsqd), ["TLS", "deflate (level 6)"]);
    const [session] = nsqd.nsqd.connections;
    assertEquals([session.tls?.version, session.deflate, session.snappy], ["TLS1.3", true, false]);
  },
);

upgradeTest("Session offers only what is switched on", async (nsqd) => {
  using client = await nsqd.connect();

  const answer = await client.ask(identify({ feature_negotiation: true, deflate: true, snappy: true }));

  const { tls_v1, deflate, snappy } = JSON.parse(answer);
  assertEquals({ tls_v1, deflate, snappy }, { tls_v1: false, deflate: false, snappy: false });
  assertEquals(await client.ask(pub("t", "plain")), "OK");
}, { deflateEnabled: false, snappyEnabled: false });

Deno.test(
  "Session takes what has come behind IDENTIFY as the first of the layer that it asks for",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    const packed = new SnappyEncoder().encode(pub("t", "early"));

    client.connection.push(identify({ feature_negotiation: true, snappy: true }));
    await client.send(packed);

    assertEquals(nsqd.broker.topic("t").depth, 1);
    const written = textOf(client.connection.written.shift() ?? new Uint8Array());
    assertMatch(written, /"snappy":true/);
    const decoder = new SnappyDecoder();
    const answers = client.connection.written.flatMap((bytes) => decoder.decode(bytes));
    const frames = new FrameReader();
    // To the layer, and to the command.
    assertEquals(answers.flatMap((bytes) => frames.push(bytes)), [response("OK"), response("OK")]);
  }),
);

Deno.test(
  "Session takes what has come in one packet with IDENTIFY as the first of the layer that it asks for",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    await client.send(
      identify({ feature_negotiation: true, snappy: true }),
      new SnappyEncoder().encode(pub("t", "early")),
    );

    assertEquals(nsqd.broker.topic("t").depth, 1);
  }),
);

// What is refused

upgradeTest("Session refuses a layer that is on the connection already", async (nsqd) => {
  using client = await LayeredClient.connect(nsqd.tcpAddress);
  await client.upgrade({ deflate: true });

  await client.send(identify({ feature_negotiation: true, snappy: true }));

  assertEquals(await client.rest(), [failure("E_IDENTIFY_FAILED connection is upgraded already")]);
});

upgradeTest("Session refuses TLS in TLS", async (nsqd, made) => {
  using client = await LayeredClient.connect(nsqd.tcpAddress);
  await client.upgrade({ tls: { ca: made.ca.cert } });

  await client.send(identify({ feature_negotiation: true, tls_v1: true }));

  assertEquals(await client.rest(), [failure("E_IDENTIFY_FAILED connection is upgraded already")]);
});

upgradeTest("Session puts compression on TLS that an IDENTIFY before has asked for", async (nsqd, made) => {
  using client = await LayeredClient.connect(nsqd.tcpAddress);
  await client.upgrade({ tls: { ca: made.ca.cert } });

  await client.upgrade({ snappy: true });

  assertEquals(await client.ask(pub("t", "a")), "OK");
  assertEquals(upgradesIn(nsqd), ["TLS", "snappy"]);
});

upgradeTest("Session takes nothing but IDENTIFY before TLS, when that is required", async (nsqd, made) => {
  using plain = await nsqd.connect();
  using unwilling = await nsqd.connect();
  using client = await LayeredClient.connect(nsqd.tcpAddress);

  await plain.send(pub("t", "a"));
  await unwilling.ask(identify({ feature_negotiation: true }));
  await unwilling.send("SUB t c\n");
  await client.upgrade({ tls: { ca: made.ca.cert } });

  assertEquals(await plain.rest(), [failure("E_INVALID cannot PUB in current state (TLS required)")]);
  assertEquals(await unwilling.rest(), [failure("E_INVALID cannot SUB in current state (TLS required)")]);
  assertEquals(await client.ask(pub("t", "a")), "OK");
}, { tlsRequired: "true" });

upgradeTest(
  "Session serves clients that have shown a certificate of the authority only, and tells others over TLS",
  async (nsqd, made) => {
    const { ca, client, stranger } = made;
    using good = await LayeredClient.connect(nsqd.tcpAddress);
    await good.upgrade({ tls: { ca: ca.cert, cert: client.cert, key: client.key } });

    using nobody = await LayeredClient.connect(nsqd.tcpAddress);
    // In TLS 1.3 a client may learn it only when it reads.
    await assertRejects(() => nobody.upgrade({ tls: { ca: ca.cert } }));
    using bad = await LayeredClient.connect(nsqd.tcpAddress);
    const refused = await assertRejects(
      () => bad.upgrade({ tls: { ca: ca.cert, cert: stranger.cert, key: stranger.key } }),
      AssertionError,
    );

    assertEquals(await good.ask(pub("t", "a")), "OK");
    const refusal = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assertEquals(
      refused.message,
      `A response was expected, not "E_IDENTIFY_FAILED IDENTIFY failed ${refusal}"`,
    );
    assertEquals(errorsIn(nsqd), [
      "ERROR: client(peer) - tls: client didn't provide a certificate",
      `ERROR: [peer] - E_IDENTIFY_FAILED IDENTIFY failed ${refusal}`,
    ]);
  },
  { tlsClientAuthPolicy: "require-verify", tlsRequired: "true" },
);

// What goes wrong

upgradeTest("Session ends when the handshake fails, and sends nothing in plain", async (nsqd) => {
  using client = await nsqd.connect();
  using other = await nsqd.connect();
  await client.ask(identify({ feature_negotiation: true, tls_v1: true }));

  await client.send("PUB t\n, which is no TLS");

  assertEquals(await client.rest(), []);
  assertEquals(await other.ask(pub("t", "a")), "OK");
  assertMatch(errorsIn(nsqd).join(), /^ERROR: client\(peer\) - received corrupt message/);
});

upgradeTest("Session ends when the client goes in the middle of the handshake", async (nsqd) => {
  const client = await nsqd.connect();
  await client.ask(identify({ feature_negotiation: true, tls_v1: true }));
  await client.send(Uint8Array.of(0x16, 3, 1, 2, 0));

  client[Symbol.dispose]();

  await eventually("the session has ended", () => nsqd.nsqd.connections.size === 0);
  assertEquals(errorsIn(nsqd).length, 1);
});

for (const [name, features] of [["deflate", { deflate: true }], ["snappy", { snappy: true }]] as const) {
  upgradeTest(`Session ends when what comes is no ${name}, and others go on`, async (nsqd) => {
    using client = await nsqd.connect();
    using other = await LayeredClient.connect(nsqd.tcpAddress);
    await other.upgrade(features);
    await client.ask(identify({ feature_negotiation: true, ...features }));

    await client.send(new Uint8Array(100).fill(0x77));
    await eventually("the session has ended", () => nsqd.nsqd.connections.size === 1);

    assertEquals(await other.ask(pub("t", "a")), "OK");
    assertEquals(errorsIn(nsqd).length, 1);
  });
}

upgradeTest("Nsqd.stop() does not wait for a client in the middle of the handshake", async (nsqd) => {
  using client = await nsqd.connect();
  await client.ask(identify({ feature_negotiation: true, tls_v1: true }));
  await client.send(Uint8Array.of(0x16, 3, 1, 2, 0));

  await nsqd.nsqd.stop();

  assertEquals(errorsIn(nsqd).filter((line) => /handshake timeout|still running/.test(line)), []);
  assertEquals(await client.rest(), []);
});
