/**
 * nsqd's entry: reads its options, and runs the daemon.
 *
 * @module
 */

import { runDaemon } from "../base/daemon.ts";
import { errorText } from "../base/error_text.ts";
import { Logger } from "../base/logger.ts";
import type { Kv } from "./kv/database.ts";
import { openKv } from "./kv/open_kv.ts";
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
  let kv: Kv | undefined;
  try {
    kv = await openKv({ ...start.options, takesKv: start.takesKv }, logger);
  } catch (error) {
    logger.fatal(`failed to start nsqd - ${errorText(error)}`);
    return 1;
  }
  if (kv === undefined) return await runDaemon("nsqd", logger, () => new Nsqd(start, logger));
  const database = kv;
  // Most nsqds have none, and start without what is only for those.
  const { KvNode } = await import("./kv_node.ts");
  return await runDaemon("nsqd", logger, () => new KvNode(start, database, logger));
}
