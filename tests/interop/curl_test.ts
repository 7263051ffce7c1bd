/**
 * curl over HTTPS, with and without a client certificate.
 *
 * @module
 */

import { assertEquals, AssertionError, assertRejects } from "@std/assert";
import { certificateTest } from "../support/certificates.ts";
import { runProgram } from "../support/interop.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";

certificateTest("curl publishes over HTTPS", async ({ ca, server }) => {
  await using nsqd = await startNsqd({
    args: [`--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`, "--https-address=127.0.0.1:0"],
  });

  const { stdout } = await nsqd.run(() => curl(nsqd, ["--cacert", ca.certPath]));

  assertEquals(stdout, "OK");
});

certificateTest(
  "curl publishes over HTTPS with its certificate where one is asked for, and not without",
  async (made) => {
    const { ca, client, server, stranger } = made;
    await using nsqd = await startNsqd({
      args: [
        `--tls-cert=${server.certPath}`,
        `--tls-key=${server.keyPath}`,
        `--tls-root-ca-file=${ca.certPath}`,
        "--tls-client-auth-policy=require-verify",
        "--https-address=127.0.0.1:0",
      ],
    });

    await nsqd.run(async () => {
      const own = ["--cert", client.certPath, "--key", client.keyPath];
      const { stdout } = await curl(nsqd, ["--cacert", ca.certPath, ...own]);
      assertEquals(stdout, "OK");
      const foreign = ["--cert", stranger.certPath, "--key", stranger.keyPath];
      for (const certificate of [[], foreign]) {
        await assertRejects(
          () => curl(nsqd, ["--cacert", ca.certPath, ...certificate]),
          AssertionError,
          "curl ended",
        );
      }
    });
  },
);

/** Publishes a message to the HTTPS port that the log tells. */
function curl(nsqd: NsqdProcess, flags: readonly string[]) {
  const port = /HTTPS: listening on \S+:(\d+)/.exec(nsqd.log)?.[1];
  return runProgram("curl", {
    args: ["--silent", "--show-error", ...flags, "--data", "hello", `https://localhost:${port}/pub?topic=t`],
  });
}
