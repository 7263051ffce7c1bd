import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { TlsFiles } from "../../src/config/tls_files.ts";
import type { NsqadminOptions } from "../../src/nsqadmin/options.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { loadNsqdOptions } from "../../src/nsqd/options.ts";
import { type Certificates, certificateTest } from "../support/certificates.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

const WITHOUT: TlsFiles = { pair: undefined, rootCa: undefined };
/** What the topics are, where nsqadmin gets to them. */
const TOPICS = { topics: null, message: "" };

/** What nsqadmin says of the topics of an nsqd that answers over HTTPS only. */
async function topicsOf(
  { folder, ca, server }: Certificates,
  { tls, options = {}, flags = [] }: {
    readonly tls: TlsFiles;
    readonly options?: Partial<NsqadminOptions>;
    readonly flags?: readonly string[];
  },
): Promise<unknown> {
  let answer: unknown;
  await withDataPath(async (dataPath) => {
    const start = loadNsqdOptions([
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      "--https-address=127.0.0.1:0",
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
      await withNsqadmin({ nsqdHttpAddresses, ...options }, async (admin) => {
        answer = await admin.json("/api/topics");
      }, { tls });
    } finally {
      await nsqd.stop();
    }
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
