/**
 * nsqlookupd's entry: reads its options, and runs the daemon.
 *
 * @module
 */

import { runDaemon } from "../base/daemon.ts";
import { Logger } from "../base/logger.ts";
import { Nsqlookupd } from "./nsqlookupd.ts";
import { loadNsqlookupdOptions } from "./options.ts";

/** Runs nsqlookupd until it is told to stop; the result is the exit code. */
export async function runNsqlookupd(args: readonly string[]): Promise<number> {
  const start = loadNsqlookupdOptions(args);
  if (start.kind === "exit") {
    if (start.code === 0) console.log(start.text);
    else console.error(start.text);
    return start.code;
  }
  const { logPrefix, logLevel, logFormat } = start.options;
  const logger = new Logger({ prefix: logPrefix, level: logLevel, format: logFormat });
  for (const warning of start.warnings) logger.warn(warning);
  return await runDaemon("nsqlookupd", logger, () => new Nsqlookupd(start.options, logger));
}
