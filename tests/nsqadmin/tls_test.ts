import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { TlsFiles } from "../../src/config/tls_files.ts";
import type { NsqadminOptions } from "../../src/nsqadmin/options.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { loadNsqdOptions } from "../../src/nsqd/options.ts";
import { ALLOW_ALL, AuthServer } from "../support/auth_server.ts";
import { type Certificates, certificateTest } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { type NsqadminInProcess, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

const WITHOUT: TlsFiles = { pair: undefined, rootCa: undefined };
/** What the topics are, where nsqadmin gets to them. */
const TOPICS = { topics: null, message: "" };

/** What an nsqadmin is to know of an nsqd that wants TLS. */
interface SecureSetup {
  readonly tls: TlsFiles;
  readonly options?: Partial<NsqadminOptions>;
  readonly flags?: readonly string[];
  readonly token?: string;
}

/** Has an nsqadmin in front of an nsqd that answers over HTTPS, and serves messages over TLS, only. */
async function withSecureNsqd(
  { folder, ca, server }: Certificates,
  { tls, options = {}, flags = [], token }: SecureSetup,
  use: (admin: NsqadminInProcess) => Promise<void>,
): Promise<void> {
  await withDataPath(async (dataPath) => {
    const start = loadNsqdOptions([
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      "--https-address=127.0.0.1:0",
      "--broadcast-address=127.0.0.1",
      `--data-path=${dataPath}`,
      `--tls-cert=${server.certPath}`,
      `--tls-key=${server.keyPath}`,
      "--tls-required",
      ...flags,
    ]);
    assert(start.kind === "run", `${folder} ${ca.certPath}`);
    const nsqd = new Nsqd(start, new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} }));
    await nsqd.start();
    try {
      const nsqdHttpAddresses = [`127.0.0.1:${nsqd.httpPort}`];
      await withNsqadmin({ nsqdHttpAddresses, ...options }, use, {
        tls,
        ...token !== undefined && { token },
      });
    } finally {
      await nsqd.stop();
    }
  });
}

/** What nsqadmin says of the topics of such an nsqd. */
async function topicsOf(certificates: Certificates, setup: SecureSetup): Promise<unknown> {
  let answer: unknown;
  await withSecureNsqd(certificates, setup, async (admin) => {
    answer = await admin.json("/api/topics");
  });
  return answer;
}

certificateTest("nsqadmin asks an nsqd that wants TLS over HTTPS, and verifies it", async (certificates) => {
  assertEquals(await topicsOf(certificates, { tls: { ...WITHOUT, rootCa: certificates.ca.cert } }), TOPICS);
});

certificateTest(
  "nsqadmin takes nothing of an nsqd whose certificate it cannot verify",
  async (certificates) => {
    const { message } = await topicsOf(certificates, { tls: WITHOUT }) as { message: string };

    assertStringIncludes(message, 'UPSTREAM_ERROR: failed to query any nsqd: Get "https://127.0.0.1:');
  },
);

certificateTest(
  "nsqadmin verifies nothing with --http-client-tls-insecure-skip-verify",
  async (certificates) => {
    const options = { httpClientTlsInsecureSkipVerify: true };

    assertEquals(await topicsOf(certificates, { tls: WITHOUT, options }), TOPICS);
  },
);

certificateTest("nsqadmin shows its certificate to an nsqd that verifies clients", async (certificates) => {
  const { ca, client } = certificates;
  const flags = ["--tls-client-auth-policy=require-verify", `--tls-root-ca-file=${ca.certPath}`];

  const shown = await topicsOf(certificates, { tls: { rootCa: ca.cert, pair: client }, flags });
  const notShown = await topicsOf(certificates, { tls: { rootCa: ca.cert, pair: undefined }, flags });

  assertEquals(shown, TOPICS);
  assertStringIncludes((notShown as { message: string }).message, "UPSTREAM_ERROR: ");
});

/** What becomes of a redrive of one message. */
async function redriveOf(certificates: Certificates, setup: SecureSetup): Promise<Record<string, unknown>> {
  let redrive: Record<string, unknown> = {};
  await withSecureNsqd(certificates, setup, async (admin) => {
    const [node] = admin.nsqadmin.options.nsqdHttpAddresses;
    await admin.ask("POST", "/api/topics", { body: { topic: "t.failed", channel: "c" } });
    await admin.ask("POST", "/topics/t.failed", { body: `action=publish&node=${node}&body=one` });
    const order = { topic: "t.failed", channel: "c", to: "t" };
    await eventually("it has begun", async () => {
      return (await admin.ask("POST", "/api/redrives", { body: order })).status === 200;
    });
    redrive = await eventually("it is over", async () => {
      const [newest] =
        (await admin.json("/api/redrives") as { redrives: Record<string, unknown>[] }).redrives;
      return newest.state !== "running" && newest;
    });
  });
  return redrive;
}

certificateTest("Messages are redriven over TLS, with the token for a secret", async (certificates) => {
  await using auth = new AuthServer(() => Response.json(ALLOW_ALL));
  const setup = {
    tls: { ...WITHOUT, rootCa: certificates.ca.cert },
    flags: [`--auth-http-address=${auth.address}`],
    token: "0123456789abcdef",
  };

  const { state, redriven } = await redriveOf(certificates, setup);

  assertEquals([state, redriven], ["done", 1]);
  const secrets = auth.queries.map(({ target }) => new URL(target, "http://x").searchParams.get("secret"));
  assertEquals(new Set(secrets), new Set(["0123456789abcdef"]));
});

certificateTest(
  "A node that demands a secret of nobody who has one redrives nothing, and says so",
  async (certificates) => {
    await using auth = new AuthServer(() => Response.json(ALLOW_ALL));
    const setup = {
      tls: { ...WITHOUT, rootCa: certificates.ca.cert },
      // It has to be connected to in that time.
      options: { httpClientConnectTimeoutMs: 3000 },
      flags: [`--auth-http-address=${auth.address}`],
    };

    const { state, problem } = await redriveOf(certificates, setup);

    assertEquals(state, "failed");
    assertStringIncludes(String(problem), "The node demands a secret, and none is given");
  },
);
