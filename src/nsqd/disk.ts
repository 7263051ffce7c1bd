/**
 * What outlives the process: a data path with files in it, or nothing at all where there is no disk, none that lasts, or none
 * that may be written to (`--store=memory`).
 *
 * @module
 */

import type { Logger } from "../base/logger.ts";
import type { TopicStores } from "../broker/broker.ts";
import { DataPath } from "../storage/data_path.ts";
import { FileStores } from "../storage/file_stores.ts";
import { DENO_FILES } from "../storage/file_system.ts";
import type { Import } from "../storage/go_import.ts";
import { MetadataFile } from "./metadata.ts";
import type { NsqdOptions } from "./options.ts";

/** Where everything is kept. */
export interface Disk {
  readonly dataPath: Pick<DataPath, keyof DataPath>;
  readonly stores: TopicStores & Pick<FileStores, "names" | "removeDeleted">;
  readonly metadataFile: Pick<MetadataFile, "load" | "persist" | "removeLeftovers">;
  /** Takes over what another program has left there, if there is anything. `nowMs` is by the wall clock. */
  takeOver(nowMs: () => number): Promise<Import | undefined>;
}

/** Names of files and folders in a data path that has, or may have, something to take over. */
const OF_ANOTHER = /^nsq-import\.|\.diskqueue\./;

/** The disk that the options ask for. */
export function diskOf(
  { store, dataPath, maxBytesPerFile }: Pick<NsqdOptions, "store" | "dataPath" | "maxBytesPerFile">,
  logger: Logger,
): Disk {
  if (store === "memory") return NO_DISK;
  const folder = new DataPath(dataPath);
  const { path } = folder;
  return {
    dataPath: folder,
    stores: new FileStores(path),
    metadataFile: new MetadataFile(path, logger),
    takeOver: async (nowMs) => {
      if (!DENO_FILES.list(path).some(({ name }) => OF_ANOTHER.test(name))) return undefined;
      const { importDiskQueues } = await import("../storage/go_import.ts");
      return await importDiskQueues({ dataPath: path, files: DENO_FILES, logger, maxBytesPerFile, nowMs });
    },
  };
}

/** Has nothing, takes nothing, and refuses nothing. */
const NO_DISK: Disk = {
  dataPath: {
    path: "",
    wasStopped: false,
    lock: settled,
    look: () => {},
    use: settled,
    stop: settled,
    probe: settled,
    [Symbol.dispose]: () => {},
  },
  stores: { names: () => [], open: () => undefined, removeDeleted: settled },
  metadataFile: { load: settled, persist: settled, removeLeftovers: () => {} },
  takeOver: () => Promise.resolve(undefined),
};

function settled(): Promise<void> {
  return Promise.resolve();
}
