/**
 * Locks on files, which end with the process that has them.
 *
 * @module
 */

/** How long a lock is waited for that somebody may be about to give back, in ms, or that cannot be asked for without waiting. */
const LOCK_WAIT_MS = 250;
/** How long until it is asked for again, in ms. */
const LOCK_STEP_MS = 10;

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

/**
 * As `tryLock()`, for a file that may have been somebody's until a moment ago: a process that is being started has for that moment
 * what its parent had open, locks included.
 */
export async function lockSoon(file: LockableFile): Promise<boolean> {
  const endMs = performance.now() + LOCK_WAIT_MS;
  while (!await tryLock(file)) {
    if (performance.now() >= endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, LOCK_STEP_MS));
  }
  return true;
}

async function lockOf(file: LockableFile): Promise<true> {
  await file.lock(true);
  return true;
}
