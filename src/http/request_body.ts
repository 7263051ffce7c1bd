/**
 * The body of a request. Its limit is checked before memory is taken for what lies beyond; memory is taken for what has
 * come, not for what was announced, and from a budget that all requests share.
 *
 * @module
 */
import type { BodyBudget } from "./body_budget.ts";
import { ChunkDecoder, ChunkError } from "./chunks.ts";
import type { BodyLength } from "./head.ts";
import { HttpError, tooManyBodies } from "./http_error.ts";
import type { HttpBody } from "./http_request.ts";
import type { HttpInput } from "./input.ts";

/** Memory that is taken for a body before any more of it has come than the first bytes. */
const SIZE_MIN = 64 * 1024;

/** What {@linkcode RequestBody} needs of its connection. */
export interface BodyOwner {
  readonly input: HttpInput;
  readonly budget: BodyBudget;
  /** Tells the client that its body is wanted, if it waits for that. */
  askForBody(): Promise<void>;
  /** The client is waited for, from now on. */
  bodyAwaited(): void;
  /** Nobody waits for the client any more. */
  bodyDone(): void;
}

/** A body that comes on a connection. */
export class RequestBody implements HttpBody {
  readonly announced: number | undefined;
  readonly #owner: BodyOwner;
  readonly #decoder: ChunkDecoder | undefined;
  /** Bytes that have not been read of an announced length. */
  #left: number;
  #taken = 0;
  #broken = false;
  #wanted = false;

  constructor(owner: BodyOwner, length: BodyLength) {
    this.#owner = owner;
    this.announced = length === "chunked" ? undefined : length;
    this.#left = length === "chunked" ? 0 : length;
    this.#decoder = length === "chunked" ? new ChunkDecoder() : undefined;
  }

  /** True when there is nothing left to read. */
  get finished(): boolean {
    return this.#decoder === undefined ? this.#left === 0 : this.#decoder.done;
  }

  /**
   * True if no more than `limitBytes` are left, as far as that is known without waiting for long: of a body in chunks it is
   * known at its end only, which is waited for when nobody has wanted the body.
   */
  async endsWithin(limitBytes: number): Promise<boolean> {
    if (this.#broken) return false;
    if (this.#decoder === undefined) return this.#left <= limitBytes;
    try {
      return await this.#discard(this.#wanted ? 0 : limitBytes);
    } catch (error) {
      if (!(error instanceof ChunkError)) throw error;
      this.#broken = true;
      return false;
    }
  }

  async read(limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#wanted = true;
    if (this.finished) return EMPTY;
    if (this.announced !== undefined && this.announced > limitBytes) return undefined;
    const { input } = this.#owner;
    if (this.#decoder === undefined && this.#left <= input.length) return this.#takeAll(input);
    await this.#owner.askForBody();
    this.#owner.bodyAwaited();
    try {
      return this.#decoder === undefined
        ? await this.#readAnnounced()
        : await this.#readChunks(this.#decoder, limitBytes);
    } catch (cause) {
      if (cause instanceof HttpError) throw cause;
      this.#broken = true;
      throw new HttpError(500, "INTERNAL_ERROR", { cause });
    } finally {
      this.#owner.bodyDone();
    }
  }

  /** Reads and drops what is left; false if the client has gone before. */
  discard(): Promise<boolean> {
    return this.#discard(Infinity);
  }

  /** Gives the budget back what the body has taken; it may not be used any more. */
  release(): void {
    this.#owner.budget.giveBack(this.#taken);
    this.#taken = 0;
  }

  #takeAll(input: HttpInput): Uint8Array<ArrayBuffer> {
    const count = this.#left;
    this.#left = 0;
    return input.take(count);
  }

  async #readAnnounced(): Promise<Uint8Array<ArrayBuffer>> {
    const total = this.#left;
    let bytes = this.#allocate(Math.min(total, Math.max(SIZE_MIN, this.#owner.input.length)));
    for (let length = 0; length < total;) {
      if (length === bytes.length) bytes = this.#enlarge(bytes, Math.min(total, 2 * length));
      const count = await this.#owner.input.readInto(bytes.subarray(length));
      if (count === 0) throw new Deno.errors.UnexpectedEof("The body has broken off");
      length += count;
      this.#left -= count;
    }
    return bytes;
  }

  async #readChunks(decoder: ChunkDecoder, limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { input } = this.#owner;
    let bytes: Uint8Array<ArrayBuffer> = EMPTY;
    let length = 0;
    while (!decoder.done) {
      if (input.length === 0 && !await input.fill()) {
        throw new Deno.errors.UnexpectedEof("The body has broken off");
      }
      const there = input.peek();
      // All that is there is decoded first: the rest of the body may have to be read whatever becomes of this part.
      let packed = 0;
      const read = decoder.decode(there, 0, there.length, (from, to) => {
        there.copyWithin(packed, from, to);
        packed += to - from;
      });
      input.take(read);
      // Many small chunks cost much more than their bytes.
      if (packed < read / 2) await input.spend(CHUNKS_COST * read);
      const needed = length + packed;
      if (needed > limitBytes) return undefined;
      if (needed > bytes.length) bytes = this.#enlarge(bytes, Math.max(needed, 2 * bytes.length, SIZE));
      bytes.set(there.subarray(0, packed), length);
      length = needed;
    }
    return bytes.subarray(0, length);
  }

  /** Drops what is there, and reads and drops up to `limitBytes` more; true if that was all. */
  async #discard(limitBytes: number): Promise<boolean> {
    const { input } = this.#owner;
    this.#drop(input);
    this.#owner.bodyAwaited();
    try {
      for (let leftBytes = limitBytes; !this.finished && leftBytes > 0;) {
        if (!await input.fill()) return false;
        leftBytes -= this.#drop(input);
      }
      return this.finished;
    } finally {
      this.#owner.bodyDone();
    }
  }

  #drop(input: HttpInput): number {
    const there = input.peek();
    const count = this.#decoder === undefined
      ? Math.min(this.#left, there.length)
      : this.#decoder.decode(there, 0, there.length, () => {});
    if (this.#decoder === undefined) this.#left -= count;
    input.take(count);
    return count;
  }

  #allocate(size: number): Uint8Array<ArrayBuffer> {
    if (!this.#owner.budget.take(size)) throw tooManyBodies();
    this.#taken += size;
    return new Uint8Array(size);
  }

  #enlarge(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
    const larger = this.#allocate(size);
    larger.set(bytes);
    this.#taken -= bytes.length;
    this.#owner.budget.giveBack(bytes.length);
    return larger;
  }
}

const EMPTY = new Uint8Array(0);
/** What a byte of chunks that are mostly sizes costs, beside one that is only read. */
const CHUNKS_COST = 8;
/** Memory that is taken for a body in chunks to begin with. */
const SIZE = 4096;
