/**
 * Who has logged in with a browser. Sessions are in memory only: when nsqadmin ends, everybody logs in anew.
 *
 * @module
 */

/** Sessions of a user: with one more, the one ends that was not used for the longest time. */
export const USER_SESSIONS_MAX = 20;
/** Sessions in all, in the same sense. */
export const SESSIONS_MAX = 5000;

const ID_SIZE = 16;

/** Somebody has logged in. */
export interface Session {
  readonly user: string;
  /** The password's hash by which he has proven it. */
  readonly passwordText: string;
}

interface Kept {
  readonly session: Session;
  readonly usedMs: number;
}

/** All sessions, by ids that nobody can guess; times are by a clock that does not jump. */
export class Sessions {
  readonly #idleMs: number;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();

  /** @param idleMs How long one lasts that is not used; 0 is no limit. */
  constructor(idleMs: number) {
    this.#idleMs = idleMs === 0 ? Infinity : idleMs;
  }

  get count(): number {
    return this.#kept.size;
  }

  /** Begins one; returns its id. */
  begin(session: Session, nowMs: number): string {
    this.#expire(nowMs);
    this.#endOldestOf(session.user);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= SESSIONS_MAX) this.#kept.delete(oldest);
    const id = crypto.getRandomValues(new Uint8Array(ID_SIZE)).toHex();
    this.#kept.set(id, { session, usedMs: nowMs });
    return id;
  }

  /** The session with that id, which is used now. */
  use(id: string, nowMs: number): Session | undefined {
    const session = this.get(id, nowMs);
    if (session === undefined) return undefined;
    this.#kept.delete(id);
    this.#kept.set(id, { session, usedMs: nowMs });
    return session;
  }

  /** The session with that id. */
  get(id: string, nowMs: number): Session | undefined {
    this.#expire(nowMs);
    return this.#kept.get(id)?.session;
  }

  /** Ends one. */
  end(id: string): void {
    this.#kept.delete(id);
  }

  /** Ends those that may not go on. */
  endUnless(mayGoOn: (session: Session) => boolean): void {
    for (const [id, { session }] of this.#kept) if (!mayGoOn(session)) this.#kept.delete(id);
  }

  /** If he has as many as he may have. */
  #endOldestOf(user: string): void {
    let oldest = "";
    let count = 0;
    for (const [id, { session }] of this.#kept) {
      if (session.user !== user) continue;
      if (count === 0) oldest = id;
      count++;
    }
    if (count >= USER_SESSIONS_MAX) this.#kept.delete(oldest);
  }

  #expire(nowMs: number): void {
    for (const [id, { usedMs }] of this.#kept) {
      if (nowMs - usedMs < this.#idleMs) return;
      this.#kept.delete(id);
    }
  }
}
