/**
 * nsq_to_file, nsq_to_nsq and nsq_to_http against NSQ's own nsqd, in the folder that `NSQ_BIN` names, and against a server
 * of HTTPS that wants a certificate.
 *
 * @module
 */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Producer } from "../../src/client/mod.ts";
import { NSQ_TO_FILE } from "../../src/tools/nsq_to_file.ts";
import { NSQ_TO_HTTP } from "../../src/tools/nsq_to_http.ts";
import { NSQ_TO_NSQ } from "../../src/tools/nsq_to_nsq.ts";
import { certificates, certificateTest } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError } from "../support/interop.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const BODIES = Array.from({ length: 1000 }, (_, i) => `message ${i}: ${"x".repeat(i % 97)}`);

/** NSQ's nsqd, with a topic and a channel. */
async function startRealNsqd(): Promise<NsqdProcess> {
  const folder = Deno.env.get("NSQ_BIN");
  if (!folder) throw new MissingError("NSQ's programs: NSQ_BIN names no folder");
  const { server } = await certificates();
  const args = [
    `--tls-cert=${server.certPath}`,
    `--tls-key=${server.keyPath}`,
    "--https-address=127.0.0.1:0",
  ];
  const nsqd = await startNsqd({ command: [`${folder}/nsqd`], args });
  await createChannel(nsqd);
  return nsqd;
}

async function createChannel({ httpAddress }: NsqdProcess): Promise<void> {
  for (const path of ["topic/create?topic=t", "channel/create?topic=t&channel=c"]) {
    const answer = await fetch(`http://${httpAddress}/${path}`, { method: "POST" });
    await answer.body?.cancel();
  }
}

/** Publishes messages; the channel has them then, which is a while after the answer. */
async function publish(nsqd: NsqdProcess, bodies: readonly string[]): Promise<void> {
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
  await producer.publishMany("t", bodies);
  await eventually("the channel has them", async () => await leftAt(nsqd) === bodies.length);
}

/** Messages of t/c that wait, are in flight or deferred. */
async function leftAt({ httpAddress }: NsqdProcess): Promise<number> {
  const answer = await fetch(`http://${httpAddress}/stats?format=json&topic=t&channel=c`);
  const [{ channels: [{ depth, in_flight_count, deferred_count }] }] = (await answer.json()).topics;
  return depth + in_flight_count + deferred_count;
}

/** What go-nsq's options say of a connection. */
async function optionsOf(layers: readonly string[]): Promise<string[]> {
  const { ca } = await certificates();
  return layers.flatMap((layer) => layer === "tls" ? ["tls_v1", `tls_root_ca_file,${ca.certPath}`] : [layer]);
}

for (const layers of [[], ["snappy"], ["deflate"], ["tls"], ["tls", "snappy"], ["tls", "deflate"]]) {
  const over = layers.join(" and ") || "plain TCP";

  interopTest(`nsq_to_file writes every message of NSQ's nsqd over ${over}`, startRealNsqd, async (nsqd) => {
    const folder = await Deno.makeTempDir({ prefix: "denosq_to_file_" });
    const world = new FakeToolWorld();
    await publish(nsqd, BODIES);
    const running = world.run(
      NSQ_TO_FILE,
      "--topic=t",
      "--channel=c",
      `--nsqd-tcp-address=${nsqd.tcpAddress}`,
      `--output-dir=${folder}`,
      "--filename-format=t.log",
      "--sync-interval=20ms",
      ...(await optionsOf(layers)).map((option) => `--consumer-opt=${option}`),
    );
    await eventually("all is finished", async () => await leftAt(nsqd) === 0);
    world.send("SIGTERM");
    assertEquals(await running, 0);

    const lines = (await Deno.readTextFile(`${folder}/t.log`)).split("\n");
    await Deno.remove(folder, { recursive: true });
    assertEquals(lines.sort(), ["", ...BODIES].sort());
  });

  interopTest(
    `nsq_to_nsq carries every message between NSQ's nsqds over ${over}`,
    startRealNsqd,
    async (nsqd) => {
      await using destination = await startRealNsqd();
      const world = new FakeToolWorld();
      await publish(nsqd, BODIES);
      const options = await optionsOf(layers);
      const running = world.run(
        NSQ_TO_NSQ,
        "--topic=t",
        "--channel=c",
        `--nsqd-tcp-address=${nsqd.tcpAddress}`,
        `--destination-nsqd-tcp-address=${destination.tcpAddress}`,
        ...options.map((option) => `--consumer-opt=${option}`),
        ...options.map((option) => `--producer-opt=${option}`),
      );
      await eventually("all is finished", async () => await leftAt(nsqd) === 0);
      world.send("SIGTERM");
      assertEquals(await running, 0);

      await eventually("the channel has them", async () => await leftAt(destination) >= BODIES.length);
      assertEquals(await leftAt(destination), BODIES.length);
    },
  );

  interopTest(
    `nsq_to_http sends every message of NSQ's nsqd that comes over ${over}`,
    startRealNsqd,
    async (nsqd) => {
      const sent: string[] = [];
      const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
        sent.push(await request.text());
        return new Response();
      });
      const world = new FakeToolWorld();
      await publish(nsqd, BODIES);
      const running = world.run(
        NSQ_TO_HTTP,
        "--topic=t",
        "--channel=c",
        `--nsqd-tcp-address=${nsqd.tcpAddress}`,
        `--post=http://127.0.0.1:${server.addr.port}/`,
        ...(await optionsOf(layers)).map((option) => `--consumer-opt=${option}`),
      );
      await eventually("all is finished", async () => await leftAt(nsqd) === 0);
      world.send("SIGTERM");
      assertEquals(await running, 0);
      await server.shutdown();

      assertEquals(sent.sort(), [...BODIES].sort());
    },
  );
}

interopTest(
  "nsq_to_http requeues at NSQ's nsqd for as long as Retry-After says",
  startRealNsqd,
  async (nsqd) => {
    let count = 0;
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () =>
        ++count === 1 ? new Response(null, { status: 503, headers: { "Retry-After": "0" } }) : new Response(),
    );
    const world = new FakeToolWorld();
    await publish(nsqd, ["a"]);
    const running = world.run(
      NSQ_TO_HTTP,
      "--topic=t",
      "--channel=c",
      `--nsqd-tcp-address=${nsqd.tcpAddress}`,
      `--post=http://127.0.0.1:${server.addr.port}/`,
      "--consumer-opt=max_backoff_duration,0",
    );
    await eventually("it is finished", async () => count === 2 && await leftAt(nsqd) === 0);
    world.send("SIGTERM");
    assertEquals(await running, 0);
    await server.shutdown();
  },
);

/** A server of HTTPS that answers with 200 to those whose certificate its authority has signed. */
async function withHttps(use: (url: string, names: string[]) => Promise<void>): Promise<void> {
  const { ca, server: { cert, key } } = await certificates();
  const names: string[] = [];
  const server = createServer(
    { cert, key, ca: ca.cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const subject = (request.socket as TLSSocket).getPeerCertificate().subject;
      names.push(String(subject?.CN));
      request.resume();
      request.on("end", () => response.end());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  try {
    await use(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`, names);
  } finally {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }
}

certificateTest(
  "nsq_to_http shows its certificate, and trusts the authority that it is told",
  async (made) => {
    await withHttps(async (url, names) => {
      await using nsqd = await startNsqd();
      await createChannel(nsqd);
      await publish(nsqd, ["a"]);
      const world = new FakeToolWorld();
      const running = world.run(
        NSQ_TO_HTTP,
        "--topic=t",
        "--channel=c",
        `--nsqd-tcp-address=${nsqd.tcpAddress}`,
        `--post=${url}`,
        `--root-ca=${made.ca.certPath}`,
        `--client-cert=${made.client.certPath}`,
        `--client-key=${made.client.keyPath}`,
      );
      await eventually("it is finished", async () => await leftAt(nsqd) === 0);
      world.send("SIGTERM");
      assertEquals(await running, 0);

      assertEquals(names.length, 1);
    });
  },
);

certificateTest("nsq_to_http sends nothing to a server that it does not trust", async () => {
  await withHttps(async (url, names) => {
    await using nsqd = await startNsqd();
    await createChannel(nsqd);
    await publish(nsqd, ["a"]);
    const world = new FakeToolWorld();
    const running = world.run(
      NSQ_TO_HTTP,
      "--topic=t",
      "--channel=c",
      `--nsqd-tcp-address=${nsqd.tcpAddress}`,
      `--post=${url}`,
    );
    await eventually("it says so", () => world.err.includes("Handler returned error"));
    world.send("SIGTERM");
    assertEquals(await running, 0);

    assertEquals([names.length, await leftAt(nsqd)], [0, 1]);
    assertStringIncludes(world.err.toLowerCase(), "cert");
  });
});
