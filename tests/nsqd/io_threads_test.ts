/**
 * What nsqd does over I/O threads, whatever else is run over them: the layers, a reload, the limits, and a stop.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { loadNsqdOptions } from "../../src/nsqd/options.ts";
import { SnappyDecoder, SnappyEncoder } from "../../src/protocol/snappy_frames.ts";
import { type Certificates, certificateTest } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import {
  bytesOf,
  type Frame,
  FrameReader,
  identify,
  join,
  MAGIC,
  mpub,
  pub,
  response,
  textOf,
} from "../support/frames.ts";
import { finishNext } from "../support/frames_client.ts";
import { LayeredClient, type Layers } from "../support/layered_client.ts";
import { nsqdTest } from "../support/nsqd_in_process.ts";
import { Random } from "../support/random.ts";
import { withThreads } from "../support/threaded_nsqd.ts";

const THREADS = { ioThreads: 2 };

const LAYERS: readonly (readonly [name: string, layers: (made: Certificates) => Layers])[] = [
  ["no layer", () => ({})],
  ["deflate", () => ({ deflate: true })],
  ["snappy", () => ({ snappy: true })],
  ["TLS", ({ ca }) => ({ tls: { ca: ca.cert } })],
  ["TLS and deflate", ({ ca }) => ({ tls: { ca: ca.cert }, deflate: true })],
];

for (const [name, layersWith] of LAYERS) {
  certificateTest(`Nsqd with I/O threads carries large and tiny messages over ${name}`, async (made) => {
    const { certPath, keyPath } = made.server;
    await withThreads([`--tls-cert=${certPath}`, `--tls-key=${keyPath}`], async ({ tcpAddress }) => {
      const random = new Random(1);
      const tiny = Array.from({ length: 200 }, (_, i) => `tiny ${i}`);
      const large = [textOf(random.bytes(900_000)), "x".repeat(1_000_000)];
      using producer = await LayeredClient.connect(tcpAddress);
      using consumer = await LayeredClient.connect(tcpAddress);
      await producer.upgrade(layersWith(made));
      await consumer.upgrade(layersWith(made));
      assertEquals(await consumer.ask("SUB t c\n"), "OK");
      await consumer.send("RDY 10\n");

      assertEquals(await producer.ask(mpub("t", tiny)), "OK");
      for (const body of large) await producer.send(pub("t", body));
      const bodies = await finishNext(consumer, tiny.length + large.length);

      assertEquals(bodies, [...tiny, ...large]);
      assertEquals([await producer.answer(), await producer.answer()], ["OK", "OK"]);
    });
  });
}

certificateTest(
  "Nsqd with I/O threads judges client certificates, and knows who has shown which",
  async (made) => {
    const { server, ca, client, stranger } = made;
    const flags = [
      `--tls-cert=${server.certPath}`,
      `--tls-key=${server.keyPath}`,
      `--tls-root-ca-file=${ca.certPath}`,
      "--tls-client-auth-policy=require-verify",
    ];
    await withThreads(flags, async ({ tcpAddress, connections }, lines) => {
      using good = await LayeredClient.connect(tcpAddress);
      await good.upgrade({ tls: { ca: ca.cert, cert: client.cert, key: client.key } });
      using bad = await LayeredClient.connect(tcpAddress);
      let refusal = "";
      try {
        await bad.upgrade({ tls: { ca: ca.cert, cert: stranger.cert, key: stranger.key } });
      } catch (error) {
        refusal = String(error);
      }

      assertEquals(await good.ask(pub("t", "b")), "OK");
      assertMatch(refusal, /E_IDENTIFY_FAILED IDENTIFY failed tls: failed to verify certificate: x509: /);
      assertEquals([...connections].map(({ tls }) => tls?.commonName).filter(Boolean), ["denosq-client"]);
      assertMatch(lines.join("\n"), /failed to verify certificate/);
    });
  },
);

certificateTest(
  "Nsqd with I/O threads serves new connections by the certificate of a reload",
  async (made) => {
    const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
    const use = async ({ certPath, keyPath }: Certificates["server"]) => {
      await Deno.copyFile(certPath, `${folder}/cert.pem`);
      await Deno.copyFile(keyPath, `${folder}/key.pem`);
    };
    const publish = async (tcpAddress: string, ca: string) => {
      using client = await LayeredClient.connect(tcpAddress);
      await client.upgrade({ tls: { ca } });
      return await client.ask(pub("t", "b"));
    };
    try {
      await use(made.server);
      await withThreads([`--tls-cert=${folder}/cert.pem`, `--tls-key=${folder}/key.pem`], async (nsqd) => {
        using before = await LayeredClient.connect(nsqd.tcpAddress);
        await before.upgrade({ tls: { ca: made.ca.cert } });
        await use(made.renewedServer);

        for (let i = 0; i < 3; i++) nsqd.reload();

        // On each of the threads, in all likelihood.
        for (let i = 0; i < 8; i++) assertEquals(await publish(nsqd.tcpAddress, made.ca.cert), "OK");
        assertEquals(await before.ask(pub("t", "b")), "OK");
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

nsqdTest(
  "Nsqd with I/O threads gives the layer what comes together with the question for it",
  async (nsqd) => {
    const [hostname, port] = nsqd.tcpAddress.split(":");
    using conn = await Deno.connect({ hostname, port: Number(port) });
    const asked = identify({ feature_negotiation: true, snappy: true });
    await conn.write(join(bytesOf(MAGIC), asked, new SnappyEncoder().encode(pub("t", "packed"))));
    const decoder = new SnappyDecoder();
    const reader = new FrameReader();
    const buffer = new Uint8Array(4096);

    const frames: Frame[] = [];
    let isPlain = true;
    while (frames.length < 3) {
      const bytes = buffer.slice(0, await conn.read(buffer) ?? 0);
      assert(bytes.length > 0, "the connection has ended");
      // The answer in plain is a frame, and says how long it is.
      const plain = isPlain ? 4 + new DataView(bytes.buffer).getUint32(0) : 0;
      isPlain = false;
      frames.push(...reader.push(bytes.slice(0, plain)));
      frames.push(...decoder.decode(bytes.subarray(plain)).flatMap((part) => reader.push(part.slice())));
    }

    assertEquals(frames.slice(1), [response("OK"), response("OK")]);
  },
  THREADS,
);

nsqdTest(
  "Nsqd with I/O threads lets in as many connections as it may, whichever threads have them",
  async (nsqd) => {
    const clients = [];
    for (let i = 0; i < 3; i++) {
      clients.push(await nsqd.connect());
      assertEquals(await clients[i].ask(pub("t", "b")), "OK");
    }

    using beyond = await nsqd.connect();
    assertEquals(await beyond.rest(), []);

    clients[0][Symbol.dispose]();
    await eventually("one has left", () => nsqd.nsqd.connections.size === 2);
    await eventually("there is room for another", async () => {
      using next = await nsqd.connect();
      const frames = next.ask(pub("t", "b")).catch(() => "refused");
      return await frames === "OK";
    });
    for (const client of clients.slice(1)) client[Symbol.dispose]();
  },
  { ...THREADS, maxConnections: 3 },
);

nsqdTest(
  "Nsqd with I/O threads lets a client in that comes again as soon as it has been disconnected",
  async (nsqd) => {
    for (let i = 0; i < 100; i++) {
      using client = await nsqd.connect();
      assertEquals(await client.ask(pub("t", "b")), "OK");
      await client.send("NOPE\n");
      await client.rest();
    }
  },
  { ...THREADS, maxConnections: 1 },
);

nsqdTest("Nsqd with I/O threads says in its configuration how many there are", async (nsqd) => {
  const answer = await fetch(`${nsqd.httpUrl}/config/io_threads`);

  assertEquals(await answer.json(), 2);
}, THREADS);

Deno.test("Nsqd with I/O threads stops while clients leave unread what they are sent", async () => {
  await withThreads(["--mem-queue-size=100000"], async (nsqd) => {
    const { tcpAddress } = nsqd;
    using producer = await LayeredClient.connect(tcpAddress);
    using consumer = await LayeredClient.connect(tcpAddress);
    assertEquals(await consumer.ask("SUB t c\n"), "OK");
    await consumer.send("RDY 2500\n");
    const batch = mpub("t", Array<string>(200).fill("x".repeat(10_000)));
    for (let i = 0; i < 20; i++) assertEquals(await producer.ask(batch), "OK");
    await eventually("it has been sent something", () => {
      return [...nsqd.connections].some(({ inFlightCount }) => inFlightCount > 0);
    });

    await nsqd.stop();

    assertEquals(nsqd.runningTasks(), []);
  });
});

Deno.test("Nsqd with I/O threads serves a unix socket without them", async () => {
  const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    await withThreads([`--tcp-address=${folder}/nsqd.sock`], async ({ tcpAddress }) => {
      assertEquals(tcpAddress, `${folder}/nsqd.sock`);
      await Promise.resolve();
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (
  const [value, refusal] of [["-1", "must be from 0 to 64"], ["65", "must be from 0 to 64"], [
    "x",
    "io-threads",
  ]]
) {
  Deno.test(`--io-threads=${value} is refused`, () => {
    const start = loadNsqdOptions([`--io-threads=${value}`]);

    assert(start.kind === "exit");
    assertMatch(JSON.stringify(start), new RegExp(refusal));
  });
}

for (const value of ["0", "64"]) {
  Deno.test(`--io-threads=${value} is taken`, () => {
    const start = loadNsqdOptions([`--io-threads=${value}`]);

    assert(start.kind === "run");
    assertEquals(start.options.ioThreads, Number(value));
  });
}
