/**
 * A data path on a simulated disk, for what nsqd writes beside its messages.
 *
 * @module
 */

import { MixedRandom } from "./mixed_random.ts";
import { settle } from "./settle.ts";
import { SimulatedDisk } from "./simulated_disk.ts";
import { SimulatedFileSystem } from "./simulated_file_system.ts";

/** Where it is. */
export const DATA_PATH = "/data";

/** Its files, of which there are none yet. */
export function simulatedFiles(disk = new SimulatedDisk({ byFolder: false })): SimulatedFileSystem {
  const files = new SimulatedFileSystem(disk, { random: new MixedRandom(0) });
  files.makeFolder(DATA_PATH);
  files.syncSync("/");
  return files;
}

/** Names of its files, sorted. */
export function namesIn(files: SimulatedFileSystem): string[] {
  return files.list(DATA_PATH).map(({ name }) => name).sort();
}

/** Text of one of them. */
export function textOf(files: SimulatedFileSystem, name: string): string {
  return new TextDecoder().decode(files.readSync(`${DATA_PATH}/${name}`));
}

/** Ends whatever syncs run until the work is done. */
export async function drive<T>(files: SimulatedFileSystem, work: Promise<T>): Promise<T> {
  let done = false;
  const finish = () => {
    done = true;
  };
  work.then(finish, finish);
  for (; !done; await settle()) files.endOne();
  return await work;
}
