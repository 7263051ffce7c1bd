/**
 * Locks on files, which end with the process that has them.
 *
 * @module
 */

/** How long an older Deno, which cannot ask for a lock without waiting, waits for it, in ms. */
const LOCK_WAIT_MS = 250;

/** An open file; before Deno 2.7 there is no `tryLockSync`. */
export interface LockableFile {
  lock(exclusive: boolean): Promise<void>;
  tryLockSync?(exclusive: boolean): boolean;
}

/** Locks a file against all others who lock it; false if somebody has. */
export async function tryLock(file: LockableFile): Promise<boolean> {
  if (file.tryLockSync) return file.tryLockSync(true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), LOCK_WAIT_MS));
  const locked = await Promise.race([lockOf(file), timeout]);
  clearTimeout(timer);
  return locked;
}

async function lockOf(file: LockableFile): Promise<true> {
  await file.lock(true);
  return true;
}
