/**
 * The files of unix sockets. The system leaves them behind when a process is killed, and older versions of the runtime do
 * when a listener closes: the next one could not listen there.
 *
 * @module
 */

/**
 * Removes the file of a socket that nobody listens on any more. Whatever else is there stays: listening will fail, and
 * say so.
 *
 * @returns True if there was one.
 */
export async function removeAbandonedSocket(path: string): Promise<boolean> {
  const found = socketAt(path);
  if (found === undefined || !await isAbandoned(path)) return false;
  // Somebody else may have come first, and listen there now.
  if (socketAt(path)?.ino !== found.ino) return false;
  removeSocket(path);
  return true;
}

/** What tells the socket at a path from any other that may come after it; `undefined` if there is none. */
export function socketAt(path: string): { readonly ino: number | null } | undefined {
  try {
    const info = Deno.lstatSync(path);
    return info.isSocket ? { ino: info.ino } : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes the file, if nobody has done so already: that is no reason for a daemon not to stop. */
export function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (error) {
    // Every other error leaves open whether somebody listens.
    return error instanceof Deno.errors.ConnectionRefused;
  }
}
