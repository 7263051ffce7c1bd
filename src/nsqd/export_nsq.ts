/**
 * What `denosq export-nsq` does: writes a data path that Go's nsqd can go on with, out of one of ours, which it does not
 * change.
 *
 * @module
 */

import { othersFirst } from "../base/every.ts";
import { LOG_LEVELS, Logger } from "../base/logger.ts";
import { Broker } from "../broker/broker.ts";
import { string } from "../config/kind.ts";
import { type Exit, exitOnOptionError, type Loaded, loadOptions } from "../config/load.ts";
import { COMMON_OPTIONS, defaultOf, option, OptionError, type OptionsOf } from "../config/option.ts";
import { DataPath } from "../storage/data_path.ts";
import { FileStores } from "../storage/file_stores.ts";
import { DENO_FILES } from "../storage/file_system.ts";
import { ExportClock, type Exported, exportTopics } from "../storage/go_export.ts";
import { needsImport } from "../storage/go_import.ts";
import { readOnly } from "../storage/read_only_files.ts";
import { loadTopics } from "./load_topics.ts";
import { MetadataFile } from "./metadata.ts";
import { nodeRefusal } from "./node/options.ts";
import { NSQD_OPTIONS } from "./options.ts";

/** Ending of a folder that is still being written. */
const TEMPORARY_SUFFIX = ".export-nsq.tmp";

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const EXPORT_NSQ_OPTIONS = {
  ...COMMON_OPTIONS,
  logLevel: NSQD_OPTIONS.logLevel,
  logPrefix: option({
    flag: "log-prefix",
    kind: string,
    default: "[export-nsq] ",
    description: "Text that every log line starts with.",
  }),
  dataPath: option({
    flag: "data-path",
    kind: string,
    default: "",
    description:
      "Data path of an nsqd that has been stopped; empty is the working directory. Nothing in it is changed.",
  }),
  to: option({
    flag: "to",
    kind: string,
    default: "",
    description: "Folder to write a data path of NSQ's nsqd to; it must be empty, or not be there yet.",
  }),
  nodeId: option({
    ...NSQD_OPTIONS.nodeId,
    description: "The nsqd's --node-id: its part of message ids, from 0 to 1023.",
  }),
  maxBytesPerFile: NSQD_OPTIONS.maxBytesPerFile,
};

/** What an export is configured with. */
export type ExportNsqOptions = OptionsOf<typeof EXPORT_NSQ_OPTIONS>;

/** Options from the command line and the configuration file, checked; or what to print instead of running. */
export function loadExportNsqOptions(args: readonly string[]): Loaded<ExportNsqOptions> | Exit {
  return exitOnOptionError("export-nsq", () => {
    const loaded = loadOptions("export-nsq", EXPORT_NSQ_OPTIONS, args);
    if (loaded.kind === "exit") return loaded;
    const { to } = loaded.options;
    if (to === "") throw new OptionError("--to must name the folder to write to");
    const refusal = nodeRefusal(loaded.options);
    if (refusal !== undefined) throw new OptionError(refusal);
    return loaded;
  });
}

/**
 * Writes the folder, as a whole or not at all.
 *
 * @throws {Error} Why it cannot.
 */
export async function exportNsq(options: ExportNsqOptions, logger: Logger): Promise<void> {
  using dataPath = new DataPath(options.dataPath);
  await dataPath.lock();
  const { path } = dataPath;
  if (needsImport(DENO_FILES, path)) {
    throw new Error(
      `${path} has messages of NSQ's nsqd: start and stop denosq's nsqd there, it imports them`,
    );
  }
  const to = options.to.replace(/(?<=.)\/+$/, "");
  if (!isEmpty(to)) throw new Error(`${to} is not empty`);
  const folder = to + TEMPORARY_SUFFIX;
  removeFolder(folder);
  DENO_FILES.makeFolder(folder);
  try {
    const exported = await fill(folder, { dataPath, options, logger });
    removeFolder(to, { recursive: false });
    DENO_FILES.rename(folder, to);
    await DENO_FILES.syncFolder(`${to}/..`);
    report(exported, to, logger);
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

async function fill(
  folder: string,
  { dataPath, options, logger }: { dataPath: DataPath; options: ExportNsqOptions; logger: Logger },
): Promise<Exported> {
  const { nodeId, maxBytesPerFile } = options;
  // What the broker says of topics that come and go is not what happens in the data path.
  const level = options.logLevel > LOG_LEVELS.warn ? options.logLevel : LOG_LEVELS.warn;
  const quiet = new Logger({ prefix: options.logPrefix, level, write: (line) => logger.raw(line) });
  const clock = new ExportClock(Date.now());
  const stores = new FileStores(dataPath.path, readOnly(DENO_FILES));
  let failure: unknown;
  const broker = new Broker({
    clock,
    stores,
    logger: quiet,
    limits: {
      memQueueSize: 0,
      maxBytesPerFile,
      maxChannelConsumers: 0,
      maxMsgTimeoutMs: Infinity,
      ephemeralDepthMax: 0,
    },
    newLatency: () => undefined,
    durabilityOf: () => "memory",
    syncEvery: Infinity,
    wasStopped: () => dataPath.wasStopped,
    keeping: () => undefined,
    keepingFailure: () => undefined,
    onWork() {},
    othersFirst,
    onFault: (error) => failure ??= error,
    onChange() {},
    onStored: (error) => failure ??= error,
  });
  await loadTopics(broker, { metadata: new MetadataFile(dataPath.path, quiet), stores, logger: quiet });
  // nsqd would go on without what it cannot read now; nobody is to take what is here for all there is.
  if (failure !== undefined) throw failure;
  // Before the topics lose their channels to the export.
  await new MetadataFile(folder, quiet).persist(broker);
  return await exportTopics(broker, { files: DENO_FILES, folder, logger, clock, nodeId, maxBytesPerFile });
}

function report({ queues, messages, deferred, longestBytes }: Exported, to: string, logger: Logger): void {
  logger.info(`NSQ: exported ${messages} messages of ${queues} queues to ${to}`);
  if (deferred > 0) {
    logger.warn(
      `NSQ: ${deferred} of them were deferred and are ready there: NSQ's files do not say until when`,
    );
  }
  if (longestBytes > defaultOf(NSQD_OPTIONS.maxMsgSizeBytes)) {
    logger.warn(`NSQ: NSQ's nsqd reads them with --max-msg-size=${longestBytes} or more only`);
  }
}

/** True for a folder without anything in it, and for none. */
function isEmpty(folder: string): boolean {
  try {
    return DENO_FILES.list(folder).length === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Removes a folder if there is one; what is in it, too, unless told not to. */
function removeFolder(folder: string, { recursive } = { recursive: true }): void {
  try {
    Deno.removeSync(folder, { recursive });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
