/**
 * How much a folder holds, read while a server writes to it.
 *
 * @module
 */

/** Bytes in the files of a folder, and in its folders. */
export function folderBytes(path: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(path)) {
    const inner = `${path}/${entry.name}`;
    bytes += entry.isDirectory ? folderBytes(inner) : fileBytes(inner);
  }
  return bytes;
}

/** Bytes in a file, none when it is not there: the server may remove one at any time. */
export function fileBytes(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
