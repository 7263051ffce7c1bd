import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { NSQD_OPTIONS } from "../../src/nsqd/options.ts";
import { verdicts } from "../support/chain_verdicts.ts";
import { makeCertificate } from "../support/certificate_builder.ts";
import { CHAINS, rootsOf, shownOf } from "../support/chains.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

const SERVER = makeCertificate({ name: "localhost", names: { dns: ["localhost"] } });

for (const { name, isGood, isGoodHere = isGood, make } of CHAINS) {
  Deno.test(
    `Nsqd ${isGoodHere ? "serves" : "refuses"} a client with ${name}, however it comes`,
    () =>
      withDataPath(async (dataPath) => {
        const chain = make();
        const logger = new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} });
        const options = {
          ...defaultOptions(NSQD_OPTIONS),
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
          const addresses = {
            tcpAddress: nsqd.tcpAddress ?? "",
            httpsAddress: `127.0.0.1:${nsqd.httpsPort}`,
          };

          const said = await verdicts(addresses, shownOf(chain));

          assertEquals(new Set(Object.values(said)), new Set([isGoodHere]), Deno.inspect(said));
        } finally {
          await nsqd.stop();
        }
      }),
  );
}
