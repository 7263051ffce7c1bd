/**
 * The negotiation: TLS, deflate, snappy and AUTH, with what costs them most.
 *
 * @module
 */

import { createDeflateRaw } from "node:zlib";
import type { AuthAnswer } from "../../tests/support/auth_server.ts";
import { makeCertificate } from "../../tests/support/certificate_builder.ts";
import { identify, join, MAGIC, withBody } from "../../tests/support/frames.ts";
import { LayeredClient, type Layers } from "../../tests/support/layered_client.ts";
import type { LoopCase } from "./loop_case.ts";
import { exchangeOnce, type Part } from "./wire.ts";

const KIB = 1024;
const SECRET_SIZE_MAX = 64 * KIB;
/** Answers of auth servers: patterns, and how long they may be. */
const PATTERNS = 5000;
const PATTERN_SIZE = 4000;
const HANDSHAKES = 20;
const NOPS = "NOP\n".repeat(1024 * KIB) + "BYE\n";

/** The cases. The auth server is told which answer to give. */
export function layerCases(
  tcpAddress: string,
  { ca, chain }: { readonly ca: string; readonly chain: { readonly cert: string; readonly key: string } },
  answerWith: (answer: AuthAnswer) => void,
): LoopCase[] {
  const layered = (name: string, layers: Layers, count = 1): LoopCase => ({
    name,
    play: async () => {
      for (let i = 0; i < count; i++) {
        using client = await LayeredClient.connect(tcpAddress);
        await client.upgrade(layers, { heartbeat_interval: -1 });
      }
    },
  });
  const raw = (name: string, ...parts: readonly Part[]): LoopCase => ({
    name,
    play: async () => void await exchangeOnce(tcpAddress, [MAGIC, ...parts]),
  });
  const asked = (features: Record<string, boolean>) => identify({ feature_negotiation: true, ...features });
  return [
    layered(`TLS handshake × ${HANDSHAKES}`, { tls: { ca } }, HANDSHAKES),
    layered("TLS, with a chain of 20 certificates shown", { tls: { ca, ...chain } }),
    layered("TLS and deflate", { tls: { ca }, deflate: true }),
    layered("TLS and snappy", { tls: { ca }, snappy: true }),
    raw(
      "64 KiB of something else than a handshake",
      asked({ tls_v1: true }),
      new Uint8Array(64 * KIB).fill(0x16),
    ),
    layered("snappy", { snappy: true }),
    layered("deflate", { deflate: true }),
    {
      name: "deflate: 4 MiB of NOP in 4 KiB",
      play: async () => {
        const packed = await deflated(NOPS);
        await exchangeOnce(tcpAddress, [MAGIC, asked({ deflate: true }), packed]);
      },
    },
    raw("64 KiB of something else than snappy", asked({ snappy: true }), new Uint8Array(64 * KIB).fill(0xff)),
    raw(
      "64 KiB of something else than deflate",
      asked({ deflate: true }),
      new Uint8Array(64 * KIB).fill(0xff),
    ),

    authCase("AUTH with a secret of 64 KiB", SECRET_SIZE_MAX, [".*"]),
    authCase(
      `AUTH, answered with ${PATTERNS} patterns`,
      10,
      Array.from({ length: PATTERNS - 1 }, (_, i) => `^t${i}$`),
    ),
    authCase("AUTH, answered with the largest patterns", 10, largePatterns()),
    authCase("AUTH, answered with a pattern that is too large", 10, ["(a{1000}){1000}"]),
    authCase("AUTH, answered with 1 MiB", 10, Array.from({ length: 50_000 }, () => "^aaaaaaaaaaa$")),
  ];

  function authCase(name: string, secretSize: number, topics: readonly string[]): LoopCase {
    let answer: unknown;
    return {
      name,
      prepare: () => {
        // Another one each time: an answer that is known is not read again.
        const authorizations = topics.map((topic) => ({
          topic,
          channels: [".*"],
          permissions: ["publish", "subscribe"],
        }));
        answer = { ttl: 60, identity: crypto.randomUUID(), authorizations: [...authorizations, fresh()] };
        answerWith(() => Response.json(answer));
        return Promise.resolve();
      },
      play: async () => {
        const bytes = join(
          MAGIC,
          withBody("AUTH", new Uint8Array(secretSize).fill(0xff)),
          "PUB t\n\0\0\0\x01x",
          "BYE\n",
        );
        await exchangeOnce(tcpAddress, [bytes]);
      },
    };
  }
}

function fresh() {
  return { topic: crypto.randomUUID(), channels: [".*"], permissions: ["publish"] };
}

/** As large as may be, each of them and together. */
function largePatterns(): string[] {
  return Array.from({ length: 14 }, (_, i) => `(${"[a-z]?".repeat(PATTERN_SIZE / 7)})${i}`);
}

/** Deflate's own stream, flushed so that all of it can be read. */
async function deflated(text: string): Promise<Uint8Array> {
  const stream = createDeflateRaw({ level: 9 });
  const parts: Uint8Array[] = [];
  stream.on("data", (part: Uint8Array) => parts.push(part));
  await new Promise<void>((resolve) => stream.end(text, resolve));
  await new Promise<void>((resolve) => stream.readableEnded ? resolve() : stream.once("end", resolve));
  return join(...parts);
}

/** A client's chain of so many certificates, each signed by the next. */
export function longChain(count: number): { readonly cert: string; readonly key: string } {
  const made = [makeCertificate({ name: "chain 0", ca: true })];
  for (let i = 1; i < count; i++) {
    made.unshift(makeCertificate({ name: `chain ${i}`, ca: i < count - 1, by: made[0] }));
  }
  return { cert: made.map(({ cert }) => cert).join(""), key: made[0].key };
}
