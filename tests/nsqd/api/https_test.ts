import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { Nsqd } from "../../../src/nsqd/nsqd.ts";
import { loadNsqdOptions } from "../../../src/nsqd/options.ts";
import { type Certificate, type Certificates, certificateTest } from "../../support/certificates.ts";
import { withDataPath } from "../../support/nsqd_in_process.ts";

const TOKEN = "publisher-0123456789";

/** An nsqd from flags that is not started yet. */
function nsqdFrom(flags: readonly string[], lines: string[]): Nsqd {
  const start = loadNsqdOptions([
    "--tcp-address=127.0.0.1:0",
    "--http-address=127.0.0.1:0",
    "--https-address=127.0.0.1:0",
    ...flags,
  ]);
  assert(start.kind === "run", JSON.stringify(start));
  const level = LOG_LEVELS.info;
  const logger = new Logger({ prefix: "", level, write: (line) => lines.push(line.slice(27)) });
  return new Nsqd(start, logger);
}

/** A running nsqd, and requests to it. */
class Server {
  readonly lines: string[];
  readonly #nsqd: Nsqd;
  readonly #ca: string;

  constructor(nsqd: Nsqd, lines: string[], { ca }: Certificates) {
    this.#nsqd = nsqd;
    this.lines = lines;
    this.#ca = ca.cert;
  }

  get httpsPort(): number | undefined {
    const line = this.lines.find((line) => line.startsWith("INFO: HTTPS: listening on "));
    return line === undefined ? undefined : Number(line.split(":").at(-1));
  }

  /** Status and body of the answer over plain HTTP. */
  plain(target: string, init: RequestInit = {}): Promise<[number, string]> {
    return answer(fetch(`http://127.0.0.1:${this.#nsqd.httpPort}${target}`, init));
  }

  /** Status and body of the answer over HTTPS. */
  async secure(target: string, init: RequestInit = {}, own?: Certificate): Promise<[number, string]> {
    using client = Deno.createHttpClient({ caCerts: [this.#ca], ...own && { cert: own.cert, key: own.key } });
    return await answer(fetch(`https://localhost:${this.httpsPort}${target}`, { ...init, client }));
  }
}

async function answer(pending: Promise<Response>): Promise<[number, string]> {
  const response = await pending;
  return [response.status, await response.text()];
}

/** A test with an nsqd that has a certificate and further flags. */
function httpsTest(
  name: string,
  flags: (certificates: Certificates) => readonly string[],
  test: (server: Server, certificates: Certificates) => Promise<void>,
): void {
  certificateTest(name, (certificates) =>
    withDataPath(async (dataPath) => {
      const { certPath, keyPath } = certificates.server;
      const pair = [`--tls-cert=${certPath}`, `--tls-key=${keyPath}`];
      const lines: string[] = [];
      const nsqd = nsqdFrom([`--data-path=${dataPath}`, ...pair, ...flags(certificates)], lines);
      await nsqd.start();
      try {
        await test(new Server(nsqd, lines, certificates), certificates);
      } finally {
        await nsqd.stop();
      }
    }));
}

/** Gives `use` the path of a file of tokens. */
async function withTokens(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "denosq_tokens_" });
  try {
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

httpsTest("Nsqd serves HTTPS and plain HTTP", () => [], async (server) => {
  assertEquals(await server.secure("/ping"), [200, "OK"]);
  assertEquals(await server.secure("/pub?topic=t", { method: "POST", body: "x" }), [200, "OK"]);
  assertEquals(await server.plain("/ping"), [200, "OK"]);
});

httpsTest("Nsqd listens for no HTTPS without an address", () => ["--https-address="], async (server) => {
  assertEquals(server.httpsPort, undefined);
  assertEquals(await server.plain("/ping"), [200, "OK"]);
});

httpsTest("Nsqd refuses plain HTTP when TLS is required", () => ["--tls-required=true"], async (server) => {
  const refusal = [403, `{"message": "TLS_REQUIRED", "https_port": ${server.httpsPort}}`];

  assertEquals(await server.plain("/ping"), refusal);
  assertEquals(await server.plain("/pub?topic=t", { method: "POST", body: "x" }), refusal);
  assertEquals(await server.plain("/nope"), refusal);
  assertEquals(await server.secure("/ping"), [200, "OK"]);
});

httpsTest(
  "Nsqd names port 0 when TLS is required and there is no HTTPS",
  () => ["--tls-required=true", "--https-address="],
  async (server) => {
    assertEquals(await server.plain("/ping"), [403, '{"message": "TLS_REQUIRED", "https_port": 0}']);
  },
);

httpsTest(
  "Nsqd serves plain HTTP when TLS is required of TCP only",
  () => ["--tls-required=tcp-https"],
  async (server) => {
    assertEquals(await server.plain("/ping"), [200, "OK"]);
    assertEquals(await server.secure("/ping"), [200, "OK"]);
  },
);

httpsTest(
  "Nsqd demands a client certificate over HTTPS",
  ({ ca }) => ["--tls-client-auth-policy=require-verify", `--tls-root-ca-file=${ca.certPath}`],
  async (server, { client, stranger }) => {
    await assertRejects(() => server.secure("/ping"), TypeError);
    await assertRejects(() => server.secure("/ping", {}, stranger), TypeError);
    assertEquals(await server.secure("/ping", {}, client), [200, "OK"]);
    // Such a policy makes TLS required, as in NSQ.
    assertEquals((await server.plain("/ping"))[0], 403);
  },
);

certificateTest("Nsqd demands a token over HTTP and HTTPS", async (certificates) => {
  await withTokens(`${TOKEN} publish\n`, async (path) => {
    await withDataPath(async (dataPath) => {
      const { certPath, keyPath } = certificates.server;
      const flags = [`--tls-cert=${certPath}`, `--tls-key=${keyPath}`, `--http-auth-token-file=${path}`];
      const lines: string[] = [];
      const nsqd = nsqdFrom([`--data-path=${dataPath}`, ...flags], lines);
      await nsqd.start();
      const server = new Server(nsqd, lines, certificates);
      const publish = { method: "POST", body: "x" };
      const headers = { authorization: `Bearer ${TOKEN}` };

      const answers = [
        await server.plain("/ping"),
        await server.plain("/pub?topic=t", publish),
        await server.plain("/pub?topic=t", { ...publish, headers }),
        await server.secure("/pub?topic=t", publish),
        await server.secure("/pub?topic=t", { ...publish, headers }),
        await server.secure("/stats", { headers }),
      ];
      await nsqd.stop();

      assertEquals(answers, [
        [200, "OK"],
        [401, '{"message":"UNAUTHORIZED"}'],
        [200, "OK"],
        [401, '{"message":"UNAUTHORIZED"}'],
        [200, "OK"],
        [403, '{"message":"FORBIDDEN"}'],
      ]);
      assert(!lines.some((line) => line.includes(TOKEN)));
    });
  });
});

Deno.test("Nsqd refuses a file of tokens with a wrong line before it starts anything", async () => {
  await withTokens(`${TOKEN} publish\n\nshort admin\n`, (path) =>
    withDataPath(async (dataPath) => {
      const start = () => nsqdFrom([`--data-path=${dataPath}`, `--http-auth-token-file=${path}`], []);

      assertThrows(
        start,
        Error,
        `HTTP auth token file "${path}", line 3: the token has fewer than 16 characters`,
      );

      assertEquals(await Array.fromAsync(Deno.readDir(dataPath)), []);
    }));
});
