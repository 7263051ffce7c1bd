import { assertEquals } from "@std/assert";
import { makeCertificate } from "../support/certificate_builder.ts";
import { CHAINS, rootsOf, shownOf } from "../support/chains.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError, TempFolder } from "../support/interop.ts";
import { verdicts } from "../support/chain_verdicts.ts";
import { startNsqd } from "../support/nsqd_process.ts";

/** Those that are asked about at a time. */
const AT_ONCE = 4;

interopTest("NSQ's nsqd says of the chains of certificates what tests/support/chains.ts says", async () => {
  const bin = Deno.env.get("NSQ_BIN");
  if (!bin) throw new MissingError("NSQ's nsqd (its folder in NSQ_BIN)");
  return Object.assign(await TempFolder.make(), { nsqd: `${bin}/nsqd` });
}, async ({ path, nsqd }) => {
  const server = makeCertificate({ name: "localhost", names: { dns: ["localhost"] } });
  await Deno.writeTextFile(`${path}/server.pem`, server.cert);
  await Deno.writeTextFile(`${path}/server.key`, server.key);
  const wrong: string[] = [];
  const left = [...CHAINS.entries()];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [i, { name, isGood, make }] = next;
      const chain = make();
      await Deno.writeTextFile(`${path}/ca${i}.pem`, rootsOf(chain));
      const args = [
        `--tls-cert=${path}/server.pem`,
        `--tls-key=${path}/server.key`,
        `--tls-root-ca-file=${path}/ca${i}.pem`,
        "--tls-client-auth-policy=require-verify",
        "--tls-required=tcp-https",
        "--https-address=127.0.0.1:0",
      ];
      await using real = await startNsqd({ command: [nsqd], args });
      const httpsAddress = await eventually(
        "HTTPS is served",
        () => /HTTPS: listening on (\S+)\n/.exec(real.log)?.[1],
      );
      for (
        const [how, said] of Object.entries(
          await verdicts({ ...real, tcpAddress: real.tcpAddress, httpsAddress }, shownOf(chain)),
        )
      ) {
        if (said !== isGood) wrong.push(`${name}, ${how}: ${said}`);
      }
    }
  }));

  assertEquals(wrong, []);
});
