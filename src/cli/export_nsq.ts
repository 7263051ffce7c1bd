/**
 * The entry of `denosq export-nsq`: reads its options, and runs it.
 *
 * @module
 */
import { errorText } from "../base/error_text.ts";
import { Logger } from "../base/logger.ts";
import { exportNsq, loadExportNsqOptions } from "../nsqd/export_nsq.ts";

/** How long whoever reads the log may take for what is still to be written at the end. */
const LOG_TIMEOUT_MS = 2000;

/** Runs export-nsq to its end; the result is the exit code. */
export async function runExportNsq(args: readonly string[]): Promise<number> {
  const start = loadExportNsqOptions(args);
  if (start.kind === "exit") {
    if (start.code === 0) console.log(start.text);
    else console.error(start.text);
    return start.code;
  }
  const { logPrefix, logLevel } = start.options;
  const logger = new Logger({ prefix: logPrefix, level: logLevel });
  for (const warning of start.warnings) logger.warn(warning);
  try {
    await exportNsq(start.options, logger);
    return 0;
  } catch (error) {
    logger.fatal(`failed to export - ${errorText(error)}`);
    return 1;
  } finally {
    await logger.flush(LOG_TIMEOUT_MS);
  }
}
