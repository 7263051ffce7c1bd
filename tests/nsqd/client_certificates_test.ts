import { assertEquals, assertMatch } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { NSQD_OPTIONS } from "../../src/nsqd/options.ts";
import { makeCertificate } from "../support/certificate_builder.ts";
import { type Shown, type TlsAddresses, verdicts } from "../support/chain_verdicts.ts";
import { type Chain, CHAINS, type MadeChain, rootsOf, shownOf } from "../support/chains.ts";
import { identify, join, MAGIC } from "../support/frames.ts";
import { interopTest, runProgram, TempFolder } from "../support/interop.ts";
import { testIoThreads } from "../support/io_threads.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

const SERVER = makeCertificate({ name: "localhost", names: { dns: ["localhost"] } });

/** An nsqd that serves the clients with a good chain only, for `use`. */
async function withVerifyingNsqd(
  chain: MadeChain,
  use: (addresses: TlsAddresses) => Promise<void>,
): Promise<void> {
  await withDataPath(async (dataPath) => {
    const logger = new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} });
    const options = {
      ...defaultOptions(NSQD_OPTIONS),
      // One, at most: a TLS session is resumed by the thread that it began on only.
      ioThreads: Math.min(testIoThreads.ioThreads, 1),
      dataPath,
      tcpAddress: "127.0.0.1:0",
      httpAddress: "127.0.0.1:0",
      httpsAddress: "127.0.0.1:0",
      tlsClientAuthPolicy: "require-verify",
      tlsRequired: "true" as const,
    };
    const tls = { pair: { cert: SERVER.cert, key: SERVER.key }, rootCa: rootsOf(chain) };
    const nsqd = new Nsqd({ options, tls }, logger);
    await nsqd.start();
    try {
      await use({ tcpAddress: nsqd.tcpAddress ?? "", httpsAddress: `127.0.0.1:${nsqd.httpsPort}` });
    } finally {
      await nsqd.stop();
    }
  });
}

for (const { name, isGood, isGoodHere = isGood, make } of CHAINS) {
  Deno.test(`Nsqd ${isGoodHere ? "serves" : "refuses"} a client with ${name}`, async () => {
    const chain = make();
    await withVerifyingNsqd(chain, async (addresses) => {
      const said = await verdicts(addresses, shownOf(chain));

      assertEquals(new Set(Object.values(said)), new Set([isGoodHere]), Deno.inspect(said));
    });
  });
}

// Resumed sessions, in which nobody shows a certificate: what was shown is in the ticket

/** What `openssl s_client` has received, twice: the second time it resumes the session of the first. */
async function askTwice(
  { path, address, version, text, shown }: {
    readonly path: string;
    readonly address: string;
    readonly version: "1_2" | "1_3";
    readonly text: string;
    readonly shown: Shown;
  },
): Promise<readonly [first: string, second: string]> {
  await Deno.writeTextFile(`${path}/cert.pem`, shown.cert);
  await Deno.writeTextFile(`${path}/key.pem`, shown.key);
  const session = `${path}/${address.replace(":", "_")}_${version}`;
  const ask = async (...more: string[]) => {
    const client = ["s_client", `-tls${version}`, "-connect", address, "-ign_eof"];
    const certificate = ["-cert", `${path}/cert.pem`, "-key", `${path}/key.pem`];
    const args = [...client, ...certificate, ...more];
    const child = new Deno.Command("openssl", { args, stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
    const writer = child.stdin.getWriter();
    // One that is refused closes before it has read it.
    await writer.write(new TextEncoder().encode(text)).catch(ignoreBrokenPipe);
    await writer.close().catch(ignoreBrokenPipe);
    return new TextDecoder().decode((await child.output()).stdout);
  };
  return [await ask("-sess_out", session), await ask("-sess_in", session)];
}

function ignoreBrokenPipe(error: unknown): void {
  if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
}

/** Stands before the TCP port and speaks the beginning, up to TLS, for whoever connects. */
class Prelude implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;

  constructor(tcpAddress: string) {
    this.#serving = this.#serve(tcpAddress);
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(tcpAddress: string): Promise<void> {
    const [hostname, port] = tcpAddress.split(":");
    for await (const near of this.#listener) {
      const far = await Deno.connect({ hostname, port: Number(port) });
      await far.write(join(MAGIC, identify({ feature_negotiation: true, tls_v1: true })));
      // The answer comes in one piece.
      await far.read(new Uint8Array(4096));
      await Promise.allSettled([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
    }
  }
}

for (const name of ["one that is an authority", "one with a forged signature", "one that has expired"]) {
  for (const version of ["1_2", "1_3"] as const) {
    interopTest(
      `Nsqd judges ${name} again when a session of TLS ${version.replace("_", ".")} is resumed`,
      async () => {
        await runProgram("openssl", { args: ["version"] });
        return await TempFolder.make();
      },
      async ({ path }) => {
        const { isGood, make } = chainCalled(name);
        const chain = make();
        await withVerifyingNsqd(chain, async ({ tcpAddress, httpsAddress }) => {
          await using prelude = new Prelude(tcpAddress);
          const asked = { path, version, shown: shownOf(chain) };
          const get = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

          const https = await askTwice({ ...asked, address: httpsAddress, text: get });
          const tcp = await askTwice({ ...asked, address: prelude.address, text: "SUB t c\nEND\n" });

          for (const [first, second] of [https, tcp]) {
            assertMatch(first, /^New, TLS/m);
            assertMatch(second, /^Reused, TLS/m);
          }
          assertEquals(https.map((text) => text.includes("HTTP/1.1 200 OK")), [isGood, isGood]);
          // A client that is served may subscribe, and is told that there is no command END.
          assertEquals(tcp.map((text) => text.includes("E_INVALID invalid command END")), [isGood, isGood]);
          assertEquals(tcp.map((text) => text.includes("E_IDENTIFY_FAILED")), [!isGood, !isGood]);
        });
      },
    );
  }
}

function chainCalled(name: string): Chain {
  const chain = CHAINS.find((chain) => chain.name === name);
  if (!chain) throw new Error(`There is no chain with ${name}`);
  return chain;
}
