/**
 * nsqd's entry: reads its options, and runs the daemon.
 *
 * @module
 */

import { runDaemon } from "../base/daemon.ts";
import { Logger } from "../base/logger.ts";
import { Nsqd } from "./nsqd.ts";
import { loadNsqdOptions } from "./options.ts";

/** Runs nsqd until it is told to stop; the result is the exit code. */
export async function runNsqd(args: readonly string[]): Promise<number> {
  const start = loadNsqdOptions(args);
  if (start.kind === "exit") {
    if (start.code === 0) console.log(start.text);
    else console.error(start.text);
    return start.code;
  }
  const { logPrefix, logLevel, logFormat } = start.options;
  const logger = new Logger({ prefix: logPrefix, level: logLevel, format: logFormat });
  for (const warning of start.warnings) logger.warn(warning);
  return await runDaemon("nsqd", logger, () => new Nsqd(start, logger));
}
