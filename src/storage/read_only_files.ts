/**
 * Files that only seem to change: what is written, renamed or removed is forgotten. For looking at a data path with the
 * code that runs it, without touching it.
 *
 * @module
 */

import type { AppendFile, FileSystem } from "./file_system.ts";

/** The same files, protected. */
export function readOnly(files: FileSystem): FileSystem {
  return {
    list: (folder) => files.list(folder),
    read: (path) => files.read(path),
    readSync: (path) => files.readSync(path),
    readEnd: (path, length) => files.readEnd(path, length),
    readPart: (path, part) => files.readPart(path, part),
    readPartSync: (path, part) => files.readPartSync(path, part),
    openAppend: (path) => new ForgetfulFile(files.readEnd(path, 0).size),
    makeFolder: () => false,
    removeFolder() {},
    removeTree: () => Promise.resolve(),
    write() {},
    rename() {},
    remove() {},
    unlink: () => Promise.resolve(),
    syncFile: () => Promise.resolve(),
    syncFolder: () => Promise.resolve(),
  };
}

class ForgetfulFile implements AppendFile {
  size: number;

  constructor(size: number) {
    this.size = size;
  }

  append(bytes: Uint8Array): void {
    this.size += bytes.length;
  }

  truncate(size: number): void {
    this.size = size;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}
