/**
 * nsqadmin's entry: reads its options, and runs the daemon.
 *
 * @module
 */

import { runDaemon } from "../base/daemon.ts";
import { Logger } from "../base/logger.ts";
import { Nsqadmin } from "./nsqadmin.ts";
import { loadNsqadminOptions } from "./options.ts";

/** Runs nsqadmin until it is told to stop; the result is the exit code. */
export async function runNsqadmin(args: readonly string[]): Promise<number> {
  const start = loadNsqadminOptions(args);
  if (start.kind === "exit") {
    if (start.code === 0) console.log(start.text);
    else console.error(start.text);
    return start.code;
  }
  const { logPrefix, logLevel, logFormat } = start.options;
  const logger = new Logger({ prefix: logPrefix, level: logLevel, format: logFormat });
  for (const warning of start.warnings) logger.warn(warning);
  return await runDaemon("nsqadmin", logger, () => new Nsqadmin(start, logger));
}
