/**
 * How many messages each connection may hold at a time (RDY), so that all of them together hold no more than the
 * consumer wants, and none of them starves. No I/O, time is passed in.
 *
 * RDY of nsqd is a cap on what is in flight on a connection; it is not used up. So what a connection takes of the budget
 * is the greater of its RDY and what it holds, and RDY is raised somewhere only when as much has been given back elsewhere.
 *
 * - **Enough for all** (limit ≥ connections): everybody gets an equal share. A connection on which nothing came for a
 *   second keeps 1, and lends the rest to those that are busy.
 * - **Too little** (limit < connections): the limit is a number of tokens of RDY 1. A token goes on to the next connection
 *   when it has brought a message, or has brought none for a while. Connections that brought one when they had it last come
 *   first; of the others, one gets a try each second, so that a busy one never waits long for twenty idle ones.
 *
 * @module
 */

/** Nothing came for so long: the connection is idle, and lends its share. In ms. */
export const IDLE_MS = 1000;
/** A token that has brought nothing for so long goes on, if somebody waits for it. In ms. */
export const TOKEN_MS = 250;
/** How often an idle connection gets a token that a busy one could have. In ms. */
export const PROBE_MS = 1000;

/** A connection, as the budget sees it. */
export class Share {
  /** The greatest RDY that nsqd takes. */
  readonly max: number;
  /** What it has been told. */
  ready = 0;
  /** Messages that were delivered and not answered. */
  inFlight = 0;
  /** When a message came last. */
  deliveredMs = -Infinity;
  /** When it got its token. */
  grantedMs = -Infinity;
  /** It brought a message when it had a token last. */
  hot = true;
  /** Others have a part of what it would have if it were busy. */
  lends = false;

  constructor(max: number) {
    this.max = Math.max(1, max);
  }

  get used(): number {
    return Math.max(this.ready, this.inFlight);
  }
}

/** A connection whose RDY changes. */
export interface ReadyChange<T extends Share> {
  readonly share: T;
  readonly ready: number;
}

/** The shares of one consumer. */
export class ReadyBudget<T extends Share = Share> {
  /** Those that wait longest for a token first. */
  #shares: T[] = [];
  #limit: number;
  #probedMs = -Infinity;
  #wanting = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get shares(): readonly T[] {
    return this.#shares;
  }

  /** The most messages in flight. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
  }

  /** Whether there are fewer messages to have than connections. */
  get scarce(): boolean {
    return this.#limit > 0 && this.#limit < this.#shares.length;
  }

  /** Whether somebody has to wait for what others give back: then each answer to a message is a reason to plan. */
  get wanting(): boolean {
    return this.#wanting;
  }

  add(share: T): void {
    this.#shares.push(share);
  }

  remove(share: T): void {
    this.#shares = this.#shares.filter((other) => other !== share);
  }

  /** What is to be changed now, in this order; the shares have been changed already. */
  plan(nowMs: number): ReadyChange<T>[] {
    const before = new Map(this.#shares.map((share) => [share, share.ready]));
    this.#wanting = this.scarce;
    if (this.scarce) this.#handTokens(nowMs);
    else this.#share(nowMs);
    // Whatever is given back is told first: in between there is never more than there should be.
    return this.#shares
      .filter((share) => before.get(share) !== share.ready)
      .map((share) => ({ share, ready: share.ready }))
      .sort((a, b) => (a.ready - (before.get(a.share) ?? 0)) - (b.ready - (before.get(b.share) ?? 0)));
  }

  #share(nowMs: number): void {
    const count = this.#shares.length;
    if (count === 0) return;
    const even = Math.floor(this.#limit / count);
    const isBusy = (share: T) => nowMs - share.deliveredMs < IDLE_MS;
    const busy = this.#shares.filter(isBusy);
    // While nobody is busy, or everybody is, nothing is lent.
    const lends = busy.length > 0 && busy.length < count && this.#limit > count;
    const forBusy = lends ? Math.floor((this.#limit - (count - busy.length)) / busy.length) : even;
    let left = this.#limit;
    const wanted = this.#shares.map((share) => {
      const ready = Math.min(share.max, lends && !isBusy(share) ? 1 : forBusy);
      left -= ready;
      return ready;
    });
    // What does not go up evenly goes to the first.
    for (let i = 0; i < count && left > 0; i++) {
      const share = this.#shares[i];
      if (wanted[i] >= share.max || lends && !isBusy(share)) continue;
      wanted[i]++;
      left--;
    }
    this.#shares.forEach((share, i) => share.ready = Math.min(share.ready, wanted[i]));
    this.#takeBack();
    let free = Math.max(0, this.#limit - this.#used());
    for (let i = 0; i < count; i++) {
      const share = this.#shares[i];
      const had = share.used;
      share.ready = Math.min(wanted[i], had + free);
      free -= share.used - had;
      share.lends = lends && !isBusy(share);
      if (share.ready < wanted[i]) this.#wanting = true;
    }
  }

  #handTokens(nowMs: number): void {
    for (const share of this.#shares) {
      if (share.ready === 0) continue;
      // Left over from when there was enough.
      if (share.ready > 1) {
        share.ready = 1;
        share.grantedMs = nowMs;
      }
      const brought = share.deliveredMs >= share.grantedMs;
      if (!brought && nowMs - share.grantedMs < TOKEN_MS) continue;
      share.hot = brought;
      if (!brought) this.#probedMs = nowMs;
      if (this.#next(nowMs, share) === share) {
        // Nobody else would get it.
        share.grantedMs = nowMs;
        continue;
      }
      share.ready = 0;
    }
    this.#takeBack();
    for (let free = this.#limit - this.#used(); free > 0; free--) {
      const share = this.#next(nowMs);
      if (!share) break;
      if (!share.hot) this.#probedMs = nowMs;
      share.ready = 1;
      share.grantedMs = nowMs;
      this.remove(share);
      this.#shares.push(share);
    }
  }

  /** Who gets the next token; `holder` is asked whether it should keep its own. */
  #next(nowMs: number, holder?: T): T | undefined {
    const waiting = this.#shares.filter((share) =>
      share === holder || share.ready === 0 && share.inFlight === 0
    );
    const others = waiting.filter((share) => share !== holder);
    const hot = others.find((share) => share.hot) ?? waiting.find((share) => share.hot);
    const cold = others.find((share) => !share.hot) ?? waiting.find((share) => !share.hot);
    if (hot && cold && cold !== holder) return nowMs - this.#probedMs >= PROBE_MS ? cold : hot;
    return hot ?? cold;
  }

  /** Takes back what is too much, because the limit was lowered or some hold more than they would get now. */
  #takeBack(): void {
    let over = this.#used() - this.#limit;
    for (let i = this.#shares.length - 1; i >= 0 && over > 0; i--) {
      const share = this.#shares[i];
      const had = share.used;
      share.ready = Math.max(Math.min(share.ready, share.inFlight), share.ready - over);
      over -= had - share.used;
    }
  }

  #used(): number {
    return this.#shares.reduce((sum, share) => sum + share.used, 0);
  }
}
