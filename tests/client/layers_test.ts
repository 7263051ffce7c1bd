import { assertEquals, assertMatch } from "@std/assert";
import { type ConnectionOptions, Consumer, NsqdError, Producer } from "../../src/client/mod.ts";
import { ALLOW_ALL, AuthServer } from "../support/auth_server.ts";
import { type Certificates, certificateTest } from "../support/certificates.ts";
import { withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { connectFailure } from "../support/connect_failure.ts";
import { startNsqd } from "../support/nsqd_process.ts";

type Layers = Omit<ConnectionOptions, "nsqd" | "tls"> & { readonly tls?: boolean };

const LAYERS: readonly (readonly [string, Layers])[] = [
  ["TLS", { tls: true }],
  ["snappy", { compression: "snappy" }],
  ["deflate", { compression: "deflate", deflateLevel: 3 }],
  ["TLS and snappy", { tls: true, compression: "snappy" }],
  ["TLS and deflate", { tls: true, compression: "deflate" }],
];

for (const [name, layers] of LAYERS) {
  certificateTest(`Producer and Consumer work over ${name}`, async (made) => {
    await using nsqd = await startNsqd({ args: tlsFlags(made) });
    const options: ConnectionOptions = {
      ...layers,
      nsqd: [nsqd.tcpAddress],
      tls: layers.tls ? { ca: made.ca.cert } : false,
    };
    // Of all lengths, so that frames are cut wherever they can be; the long ones do not fit into one read.
    const bodies = Array.from({ length: 300 }, (_, i) => `${i} ${"x".repeat(i * 7)}`);
    bodies.push("y".repeat(300_000), "z".repeat(1_000_000));

    await using producer = new Producer(options);
    await using consumer = new Consumer("layers", "all", options);
    await Promise.all(bodies.map((body) => producer.publish("layers", body)));
    const received: string[] = [];
    for await (const message of consumer) {
      received.push(message.text());
      message.finish();
      if (received.length === bodies.length) break;
    }

    assertEquals(received, bodies);
  });
}

certificateTest("Producer refuses a node whose certificate it cannot verify", async (made) => {
  await using nsqd = await startNsqd({ args: tlsFlags(made) });
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress], tls: true });

  const error = await connectFailure(producer);

  assertMatch(error.message, /certificate|issuer/i);
});

Deno.test("Producer refuses a node that does not offer the TLS which it asks for", () =>
  withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async ({ tcpAddress }) => {
      await using producer = new Producer({ nsqd: [tcpAddress], tls: true });

      const error = await connectFailure(producer);

      assertEquals(error.message, "The node does not offer TLS");
    });
  }));

Deno.test("Producer goes on without TLS where it is optional and the node does not offer it", () =>
  withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async ({ tcpAddress }) => {
      await using producer = new Producer({ nsqd: [tcpAddress], tls: { optional: true } });

      assertEquals(await producer.publish("layers", "a"), { node: tcpAddress });
    });
  }));

certificateTest(
  "Producer verifies the certificate of a node that offers TLS, also where it is optional",
  async (made) => {
    await using nsqd = await startNsqd({ args: tlsFlags(made) });
    await using producer = new Producer({ nsqd: [nsqd.tcpAddress], tls: { optional: true } });

    const error = await connectFailure(producer);

    assertMatch(error.message, /certificate|issuer/i);
  },
);

Deno.test("Producer shows its secret to a node that demands one", () =>
  withDataPath(async (dataPath) => {
    await using server = new AuthServer(() => Response.json(ALLOW_ALL));
    await withNsqd(dataPath, { authHttpAddresses: [server.address] }, async ({ tcpAddress }) => {
      await using producer = new Producer({
        nsqd: [tcpAddress],
        authSecret: () => Promise.resolve("s3cret"),
      });

      assertEquals(await producer.publish("layers", "a"), { node: tcpAddress });
      assertEquals(new URL(server.queries[0].target, "http://x").searchParams.get("secret"), "s3cret");
    });
  }));

Deno.test("Producer tells that its secret was refused", () =>
  withDataPath(async (dataPath) => {
    await using server = new AuthServer(() => new Response("no", { status: 403 }));
    await withNsqd(dataPath, { authHttpAddresses: [server.address] }, async ({ tcpAddress }) => {
      await using producer = new Producer({ nsqd: [tcpAddress], authSecret: "wrong" });

      const error = await connectFailure(producer);

      assertEquals([error instanceof NsqdError, error.message], [true, "E_AUTH_FAILED AUTH failed"]);
    });
  }));

Deno.test("Producer does not wait for ever for a secret that the program does not give", () =>
  withDataPath(async (dataPath) => {
    await using server = new AuthServer(() => Response.json(ALLOW_ALL));
    await withNsqd(dataPath, { authHttpAddresses: [server.address] }, async ({ tcpAddress }) => {
      const authSecret = () => new Promise<string>(() => {});
      await using producer = new Producer({ nsqd: [tcpAddress], authSecret, dialTimeoutMs: 200 });

      const error = await connectFailure(producer);

      assertEquals(error.message, `${tcpAddress}: no connection within 200 ms`);
    });
  }));

function tlsFlags(made: Certificates): string[] {
  return [`--tls-cert=${made.server.certPath}`, `--tls-key=${made.server.keyPath}`];
}
