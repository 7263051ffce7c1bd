import { connect as connectTls } from "node:tls";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { loadNsqdOptions } from "../../src/nsqd/options.ts";
import { Reload } from "../../src/nsqd/reload.ts";
import { type Certificate, type Certificates, certificateTest } from "../support/certificates.ts";
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { testIoThreadsFlags } from "../support/io_threads.ts";
import { LayeredClient } from "../support/layered_client.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";
import { nsqdCommand } from "../support/nsqd_process.ts";
import { freePort } from "../support/ports.ts";

const PUBLISHER = "publisher-0123456789";
const READER = "reader-0123456789";
const ADMIN = "admin-0123456789";

Deno.test("Reload.run() puts nothing in place before everything has been read", () => {
  const events: string[] = [];
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.info,
    write: (line) => lines.push(line.slice(27)),
  });
  const part = (name: string) => ({
    name,
    prepare: () => {
      events.push(`read ${name}`);
      return () => void events.push(`use ${name}`);
    },
  });

  const names = new Reload(logger, [part("a"), part("b")]).run();

  assertEquals(names, ["a", "b"]);
  assertEquals(events, ["read a", "read b", "use a", "use b"]);
  assertEquals(lines, ["INFO: NSQ: reloaded a, b"]);
});

Deno.test("Reload.run() changes nothing when something cannot be used", () => {
  let used = 0;
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write: () => {} });
  const good = { name: "a", prepare: () => () => void used++ };
  const bad = {
    name: "b",
    prepare: () => {
      throw new Error("no such file");
    },
  };

  let problem: unknown;
  try {
    new Reload(logger, [good, bad]).run();
  } catch (error) {
    problem = error;
  }

  assert(problem instanceof Error);
  assertEquals([problem.message, used], ["no such file", 0]);
});

/** An nsqd whose certificate, authority and tokens are in files that a test changes. */
class ReloadedNsqd {
  readonly nsqd: Nsqd;
  readonly lines: string[] = [];
  readonly folder: string;

  constructor(folder: string, dataPath: string, flags: readonly string[] = []) {
    this.folder = folder;
    const start = loadNsqdOptions([
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      // It listens there again for another certificate.
      `--https-address=127.0.0.1:${freePort()}`,
      `--data-path=${dataPath}`,
      `--tls-cert=${folder}/cert.pem`,
      `--tls-key=${folder}/key.pem`,
      `--http-auth-token-file=${folder}/tokens`,
      ...testIoThreadsFlags,
      ...flags,
    ]);
    assert(start.kind === "run", JSON.stringify(start));
    const write = (line: string) => this.lines.push(line.slice(27));
    this.nsqd = new Nsqd(start, new Logger({ prefix: "", level: LOG_LEVELS.info, write }));
  }

  /** Asks for the reload over HTTP. */
  async reload(): Promise<[status: number, body: unknown]> {
    return await this.ask("PUT", "/config/reload", ADMIN);
  }

  async ask(method: string, target: string, token: string): Promise<[status: number, body: unknown]> {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(`http://127.0.0.1:${this.nsqd.httpPort}${target}`, {
      method,
      headers,
      ...method === "POST" && { body: "x" },
    });
    const text = await response.text();
    return [response.status, text.startsWith("{") ? JSON.parse(text) : text];
  }
}

function writePair(folder: string, { cert, key }: Certificate): void {
  Deno.writeTextFileSync(`${folder}/cert.pem`, cert);
  Deno.writeTextFileSync(`${folder}/key.pem`, key, { mode: 0o600 });
}

function writeTokens(folder: string, ...lines: readonly string[]): void {
  Deno.writeTextFileSync(`${folder}/tokens`, [`${ADMIN} ops admin`, ...lines].join("\n"), { mode: 0o600 });
}

function reloadTest(
  name: string,
  test: (nsqd: ReloadedNsqd, certificates: Certificates) => Promise<void>,
  flags: (certificates: Certificates) => readonly string[] = () => [],
): void {
  certificateTest(name, (certificates) =>
    withDataPath((folder) =>
      withDataPath(async (dataPath) => {
        writePair(folder, certificates.server);
        writeTokens(folder, `${PUBLISHER} publish`);
        const reloaded = new ReloadedNsqd(folder, dataPath, flags(certificates));
        await reloaded.nsqd.start();
        try {
          await test(reloaded, certificates);
        } catch (error) {
          console.error(reloaded.lines.join("\n"));
          throw error;
        } finally {
          await reloaded.nsqd.stop();
        }
      })
    ));
}

/** The certificate that is shown on the HTTPS port: its text in PEM form. */
function shownOverHttps({ nsqd }: ReloadedNsqd, own?: Certificate): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: "127.0.0.1",
      port: nsqd.httpsPort,
      rejectUnauthorized: false,
      ...own && { cert: own.cert, key: own.key },
    });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      resolve(base64(raw));
    });
  });
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function bodyOf({ cert }: Certificate): string {
  return cert.replace(/-----.*-----|\s/g, "");
}

for (
  const [what, flags] of [["anybody", []], ["clients of TLS 1.3", ["--tls-min-version=tls1.3"]]] as const
) {
  reloadTest(`PUT /config/reload lets nsqd show ${what} a new certificate over HTTPS`, async (nsqd, made) => {
    assertEquals(await shownOverHttps(nsqd), bodyOf(made.server));

    writePair(nsqd.folder, made.renewedServer);
    assertEquals(await nsqd.reload(), [200, { reloaded: ["certificates", "tokens"] }]);

    await eventually("the new certificate", async () => {
      try {
        return await shownOverHttps(nsqd) === bodyOf(made.renewedServer);
      } catch (error) {
        // For some ms nobody listens.
        if (error instanceof Error && /ECONNREFUSED/.test(error.message)) return false;
        throw error;
      }
    });
    assert(nsqd.lines.includes("INFO: NSQ: reloaded certificates, tokens"));
  }, () => flags);
}

reloadTest(
  "PUT /config/reload leaves TCP clients their connection, and gives new ones the new certificate",
  async (nsqd, made) => {
    const { tcpPort } = nsqd.nsqd;
    const shown: string[] = [];
    const tls = {
      ca: made.ca.cert,
      checkServerIdentity: (_host: string, { raw }: { raw: Uint8Array }) => void shown.push(base64(raw)),
    };
    using before = await LayeredClient.connect(`127.0.0.1:${tcpPort}`);
    await before.upgrade({ tls });

    writePair(nsqd.folder, made.renewedServer);
    await nsqd.reload();

    using after = await LayeredClient.connect(`127.0.0.1:${tcpPort}`);
    await after.upgrade({ tls });
    assertEquals(shown, [bodyOf(made.server), bodyOf(made.renewedServer)]);
    assertEquals(await before.ask("SUB t c\n"), "OK");
    assertEquals(await after.ask("SUB t c\n"), "OK");
  },
);

reloadTest("PUT /config/reload reads the authority of clients again", async (nsqd, made) => {
  const { tcpPort } = nsqd.nsqd;
  const isAdmitted = async ({ cert, key }: Certificate) => {
    using client = await LayeredClient.connect(`127.0.0.1:${tcpPort}`);
    try {
      await client.upgrade({ tls: { ca: made.ca.cert, cert, key } });
      return true;
    } catch {
      // Refused, one way or another.
      return false;
    }
  };
  assertEquals([await isAdmitted(made.client), await isAdmitted(made.stranger)], [true, false]);

  await Deno.copyFile(`${made.folder}/strangers-ca.pem`, `${made.folder}/own-ca.pem`);
  const https = { Authorization: `Bearer ${ADMIN}` };
  using client = Deno.createHttpClient({
    caCerts: [made.ca.cert],
    cert: made.client.cert,
    key: made.client.key,
  });
  const answer = await fetch(`https://localhost:${nsqd.nsqd.httpsPort}/config/reload`, {
    method: "PUT",
    headers: https,
    client,
  });
  assertEquals([answer.status, await answer.json()], [200, { reloaded: ["certificates", "tokens"] }]);

  assertEquals([await isAdmitted(made.client), await isAdmitted(made.stranger)], [false, true]);
}, ({ ca, folder }) => {
  Deno.copyFileSync(ca.certPath, `${folder}/own-ca.pem`);
  return ["--tls-client-auth-policy=require-verify", `--tls-root-ca-file=${folder}/own-ca.pem`];
});

reloadTest("PUT /config/reload reads the tokens again", async (nsqd) => {
  assertEquals((await nsqd.ask("POST", "/pub?topic=t", PUBLISHER))[0], 200);
  assertEquals((await nsqd.ask("GET", "/info", READER))[0], 401);

  writeTokens(nsqd.folder, `${READER} dashboard read`);
  await nsqd.reload();

  assertEquals((await nsqd.ask("POST", "/pub?topic=t", PUBLISHER))[0], 401);
  assertEquals((await nsqd.ask("GET", "/info", READER))[0], 200);
});

const WRONG:
  readonly (readonly [what: string, spoil: (folder: string, made: Certificates) => void, message: RegExp])[] =
    [
      [
        "the tokens",
        (folder) => writeTokens(folder, "short read"),
        /tokens", line 2: the token has fewer than 16/,
      ],
      [
        "the certificate",
        (folder) => Deno.writeTextFileSync(`${folder}/cert.pem`, "x"),
        /Cannot use certificate "/,
      ],
      ["the key", (folder) => Deno.removeSync(`${folder}/key.pem`), /Cannot read key "/],
      [
        "the pair",
        (folder, { client }) => Deno.writeTextFileSync(`${folder}/key.pem`, client.key),
        /is not the key of/,
      ],
    ];

for (const [what, spoil, message] of WRONG) {
  reloadTest(
    `PUT /config/reload changes nothing when something is wrong with ${what}, and says what`,
    async (nsqd, made) => {
      writePair(nsqd.folder, made.renewedServer);
      writeTokens(nsqd.folder, `${READER} read`);
      spoil(nsqd.folder, made);

      const [status, body] = await nsqd.reload();

      assertEquals(status, 500);
      const said = (body as { message: string }).message;
      assertMatch(said, /^failed to reload - /);
      assertMatch(said, message);
      assert(nsqd.lines.includes(`ERROR: ${said}`));
      assertEquals((await nsqd.ask("POST", "/pub?topic=t", PUBLISHER))[0], 200);
      assertEquals((await nsqd.ask("GET", "/info", READER))[0], 401);
      assertEquals(await shownOverHttps(nsqd), bodyOf(made.server));
    },
  );
}

reloadTest("GET /stats tells when the certificate expires", async (nsqd) => {
  const [, stats] = await nsqd.ask("GET", "/stats?format=json", ADMIN);
  const [, text] = await nsqd.ask("GET", "/stats", ADMIN);

  const { tls_certificate_expires: expiresS } = stats as { tls_certificate_expires: number };
  const leftS = expiresS - Date.now() / 1000;
  assert(leftS > 19 * 24 * 60 * 60 && leftS < 21 * 24 * 60 * 60, String(leftS));
  const [, shown] = /\nTLS certificate expires: (\S+)\n$/.exec(String(text)) ?? [];
  assertEquals(Date.parse(shown), expiresS * 1000);
  assertEquals(
    nsqd.lines.filter((line) => line.startsWith("WARNING: TLS: the certificate expires in 19 days")).length,
    1,
  );
});

Deno.test("SIGHUP lets nsqd read the tokens again, and write the audit log to a new file", async () => {
  await withDataPath(async (folder) => {
    writeTokens(folder);
    await using nsqd = new ChildDaemon([
      ...nsqdCommand(),
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      `--data-path=${folder}`,
      `--http-auth-token-file=${folder}/tokens`,
      `--audit-log=${folder}/audit.log`,
    ]);
    await nsqd.logged(/(advertising)/);
    const address = await nsqd.logged(/HTTP: listening on (\S+)\n/);
    const info = async () => {
      const headers = { Authorization: `Bearer ${READER}` };
      const response = await fetch(`http://${address}/info`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await info(), 401);
    await eventually("it is noted", () => Deno.readTextFileSync(`${folder}/audit.log`) !== "");

    writeTokens(folder, `${READER} read`);
    Deno.renameSync(`${folder}/audit.log`, `${folder}/audit.log.1`);
    nsqd.kill("SIGHUP");
    await nsqd.logged(/(NSQ: reloaded tokens, audit log)/);

    assertEquals(await info(), 200);
    assertEquals(Deno.readTextFileSync(`${folder}/audit.log`), "");
    nsqd.kill("SIGTERM");
    assertEquals(await nsqd.ended(), 0);
  });
});
