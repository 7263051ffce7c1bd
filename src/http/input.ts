/**
 * What has come on a connection and is not used up. Small to begin with, because most connections wait most of the
 * time; a head that needs more takes it from the budget of bodies.
 *
 * @module
 */
import type { FairShare } from "../base/fair_share.ts";
import { KeptView } from "../base/kept_view.ts";
import type { Connection } from "../net/connection.ts";
import type { BodyBudget } from "./body_budget.ts";
import { HEAD_SIZE_MAX, headEnd, RefusedRequest } from "./head.ts";

/** Enough for a head and a small body, in bytes. */
const SIZE = 4096;
/** Most bytes of one read: a hundred of 2 MiB in one turn would hold all others up. */
const READ_SIZE_MAX = 64 * 1024;
/**
 * So many bytes of a connection are read without waiting for a turn, and each request counts as some: but for that, those
 * who ask for little would wait behind those who ask for much.
 */
const UNPACED_MAX = 32 * 1024;
const REQUEST_COST = 8 * 1024;
/** A client that waits for each answer before it sends the next request leaves the others their time by itself. */
const AWAITED_REQUEST_COST = 2 * 1024;
/** After that time they are forgotten, in ms. */
const UNPACED_TIME_MS = 100;
const CR = 13;
const LF = 10;
/** So many bytes of line ends between two requests are passed over: Go's limit. */
const LINE_ENDS_MAX = 4;

/** The bytes of one connection. */
export class HttpInput {
  readonly #connection: Connection;
  readonly #budget: BodyBudget;
  readonly #share: FairShare;
  /** Bytes and requests for which no turn was waited, and since when. */
  #unpaced = 0;
  #unpacedSinceMs = 0;
  #bytes = new Uint8Array(SIZE);
  #start = 0;
  #end = 0;
  /** A read that is under way while nobody waits for it. */
  #ahead: Promise<number | null> | undefined;
  /** Where the last bytes were read to. */
  readonly #space = new KeptView();

  constructor(connection: Connection, budget: BodyBudget, share: FairShare) {
    this.#connection = connection;
    this.#budget = budget;
    this.#share = share;
  }

  /** Bytes that are there. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** The bytes that are there, until more are read. */
  peek(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Takes bytes that are there; they stay as they are until more are read. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(this.#start, this.#start + count);
    this.#start += count;
    return taken;
  }

  /** Reads more; false at the end. */
  async fill(): Promise<boolean> {
    const ahead = this.#ahead;
    if (ahead !== undefined) {
      this.#ahead = undefined;
      return this.#filled(await ahead);
    }
    this.#makeRoom();
    const count = await this.#connection.read(this.#room());
    const turn = this.spend(count ?? 0);
    if (turn !== undefined) await turn;
    return this.#filled(count);
  }

  /** Reads into another buffer: what is there first. 0 at the end. */
  async readInto(buffer: Uint8Array): Promise<number> {
    if (this.length === 0) {
      if (this.#ahead === undefined) {
        const count = await this.#connection.read(buffer.subarray(0, READ_SIZE_MAX)) ?? 0;
        await this.spend(count);
        return count;
      }
      if (!await this.fill()) return 0;
    }
    const part = this.take(Math.min(this.length, buffer.length));
    buffer.set(part);
    return part.length;
  }

  /** Calls back when the client ends the connection; what it sends meanwhile is there for `fill()`. */
  watch(onEnd: () => void): void {
    if (this.#ahead === undefined) {
      // In other memory: what has been taken stays as it is while the request lasts.
      this.#bytes = this.#bytes.slice();
      this.#makeRoom();
      this.#ahead = this.#connection.read(this.#room());
    }
    this.#ahead.then((count) => count === null && onEnd(), onEnd);
  }

  /**
   * The next head, or `undefined` at the end.
   *
   * @param onBegun Called when a part of it has come, and the rest is waited for.
   * @throws {RefusedRequest}
   */
  async head(onBegun: () => void): Promise<Uint8Array | undefined> {
    const turn = this.spend(this.length > 0 ? REQUEST_COST : AWAITED_REQUEST_COST);
    if (turn !== undefined) await turn;
    // Mostly nothing of it has come.
    if (this.length === 0 && !await this.fill()) return undefined;
    let searched = 0;
    for (;;) {
      const end = headEnd(this.#bytes, this.#start + searched, this.#end);
      if (end >= 0 && end - this.#start <= HEAD_SIZE_MAX) return this.take(end - this.#start);
      // The end may be across what has been searched and what comes.
      searched = Math.max(0, this.length - 3);
      if (this.length >= HEAD_SIZE_MAX) throw new RefusedRequest(431);
      if (this.length > 0) onBegun();
      if (!await this.fill()) return undefined;
    }
  }

  /** Old clients send a line's end behind a body. */
  skipLineEnds(): void {
    for (let i = 0; i < LINE_ENDS_MAX && this.length > 0; i++) {
      const byte = this.#bytes[this.#start];
      if (byte !== CR && byte !== LF) return;
      this.#start++;
    }
  }

  /** Gives back what the last request needed more than others do. */
  shrink(): void {
    if (this.#bytes.length === SIZE || this.length > SIZE || this.#ahead !== undefined) return;
    const rest = this.peek();
    this.release();
    this.#bytes = new Uint8Array(SIZE);
    this.#bytes.set(rest);
    this.#start = 0;
    this.#end = rest.length;
  }

  /** Gives the budget back what has been taken from it; to be called at the end. */
  release(): void {
    this.#budget.giveBack(this.#bytes.length - SIZE);
    if (this.#bytes.length > SIZE) this.#bytes = this.#bytes.subarray(0, SIZE);
  }

  #filled(count: number | null): boolean {
    this.#end += count ?? 0;
    return count !== null;
  }

  /** Where the next bytes go. */
  #room(): Uint8Array<ArrayBuffer> {
    return this.#space.of(this.#bytes, this.#end, Math.min(this.#end + READ_SIZE_MAX, this.#bytes.length));
  }

  /** Counts what has been done, as if it were so many bytes; a turn is to be waited for if that is much. */
  spend(cost: number): Promise<void> | undefined {
    this.#unpaced += cost;
    if (this.#unpaced <= UNPACED_MAX) return undefined;
    const isSlow = performance.now() - this.#unpacedSinceMs >= UNPACED_TIME_MS;
    this.#unpaced = cost;
    if (!isSlow) return this.#waitForTurn();
    this.#unpacedSinceMs = performance.now();
    return undefined;
  }

  async #waitForTurn(): Promise<void> {
    await this.#share.turn();
    this.#unpacedSinceMs = performance.now();
  }

  #makeRoom(): void {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end < this.#bytes.length) return;
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      return;
    }
    const larger = 2 * this.#bytes.length;
    if (!this.#budget.take(larger - this.#bytes.length)) throw new RefusedRequest(503);
    const bytes = new Uint8Array(larger);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}
