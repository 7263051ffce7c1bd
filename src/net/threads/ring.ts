/**
 * Records of bytes from one thread to another, through memory that both see: a ring with one who writes and one who reads.
 *
 * ```
 *            head: read up to here        tail: written up to here
 *              ▼                            ▼
 *  ░░░░░░░░░░░░│ record │ record │ record   │░░░░░░░░░░░░░░░░░░░░░│
 *
 *  record:  kind (8 bits) and length (24) │ id (32) │ payload, padded to 8 bytes
 * ```
 *
 * Both positions count bytes without end, and wrap at 32 bits. A record lies in one piece: what is too short for it at the end of
 * the ring is skipped, by a record of kind 0. Nobody waits here: what has no room is the writer's business (outbox.ts).
 *
 * @module
 */

const HEAD = 0;
/** The cache lines of the two threads are apart. */
const TAIL = 16;
/** The writer has not had room, and is to be told when there is. */
const WANTED = 32;
const CONTROL_LENGTH = 256;
const HEADER_LENGTH = 8;
const SKIP = 0;
/** So few bytes are copied by hand: it costs less than a call of `set`. */
const FEW_BYTES = 32;
const LENGTH_MASK = 0xffffff;

/** The memory of a ring; `capacity` is in bytes, a power of two. It begins at `position`, a multiple of 8. */
export function ringMemory(capacity: number, position = 0): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(CONTROL_LENGTH + capacity);
  const control = new Int32Array(memory);
  control[HEAD] = control[TAIL] = position;
  return memory;
}

/** A ring as both sides have it. */
class Ring {
  readonly control: Int32Array;
  readonly words: Int32Array;
  readonly bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, 0, CONTROL_LENGTH / Int32Array.BYTES_PER_ELEMENT);
    this.words = new Int32Array(memory, CONTROL_LENGTH);
    this.bytes = new Uint8Array(memory, CONTROL_LENGTH);
  }
}

/** The end of a ring that records are put in at. */
export class RingWriter {
  readonly #ring: Ring;
  readonly #capacity: number;
  /** Ours; the other one as we have seen it last. */
  #tail: number;
  #head: number;

  constructor(memory: SharedArrayBuffer) {
    this.#ring = new Ring(memory);
    this.#capacity = this.#ring.bytes.length;
    this.#tail = this.#ring.control[TAIL];
    this.#head = this.#ring.control[HEAD];
  }

  /** The longest payload of a record, in bytes. */
  get lengthMax(): number {
    return this.#capacity / 2 - HEADER_LENGTH;
  }

  /** Puts a record in. False when there is no room: the reader rings as soon as it has taken something. */
  put(kind: number, id: number, payload: Readonly<Uint8Array>): boolean {
    const { length } = payload;
    if (length > this.lengthMax) throw new RangeError(`A record of ${length} bytes is too long for the ring`);
    const size = HEADER_LENGTH + ((length + 7) & ~7);
    let position = this.#tail & (this.#capacity - 1);
    const rest = this.#capacity - position;
    if (!this.#hasRoom(size <= rest ? size : rest + size)) return false;
    const { words, bytes, control } = this.#ring;
    if (size > rest) {
      words[position >>> 2] = SKIP << 24 | rest - HEADER_LENGTH;
      this.#tail = this.#tail + rest | 0;
      position = 0;
    }
    words[position >>> 2] = kind << 24 | length;
    words[(position >>> 2) + 1] = id;
    const start = position + HEADER_LENGTH;
    if (length > FEW_BYTES) bytes.set(payload, start);
    else for (let i = 0; i < length; i++) bytes[start + i] = payload[i];
    this.#tail = this.#tail + size | 0;
    Atomics.store(control, TAIL, this.#tail);
    return true;
  }

  #hasRoom(size: number): boolean {
    if (this.#free >= size) return true;
    const { control } = this.#ring;
    this.#head = Atomics.load(control, HEAD);
    if (this.#free >= size) return true;
    Atomics.store(control, WANTED, 1);
    // The reader may have taken the last one before it could see that.
    this.#head = Atomics.load(control, HEAD);
    return this.#free >= size;
  }

  get #free(): number {
    return this.#capacity - (this.#tail - this.#head >>> 0);
  }
}

/** Takes a record; the payload is in `bytes`, and there only until this returns. */
export type RecordUser = (
  kind: number,
  id: number,
  bytes: Uint8Array<SharedArrayBuffer>,
  start: number,
  end: number,
) => void;

/** The end of a ring that records come out at. */
export class RingReader {
  readonly #ring: Ring;
  readonly #mask: number;
  #head: number;

  constructor(memory: SharedArrayBuffer) {
    this.#ring = new Ring(memory);
    this.#mask = this.#ring.bytes.length - 1;
    this.#head = this.#ring.control[HEAD];
  }

  get hasRecords(): boolean {
    return this.#head !== Atomics.load(this.#ring.control, TAIL);
  }

  /**
   * Gives the records that there are to `use`, but not many more than so many bytes of them.
   *
   * @returns True if the writer waits for the room that they had: it is to be woken.
   */
  take(use: RecordUser, mostBytes: number): boolean {
    const { control, words, bytes } = this.#ring;
    const tail = Atomics.load(control, TAIL);
    const begin = this.#head;
    if (begin === tail) return false;
    while (this.#head !== tail && (this.#head - begin >>> 0) < mostBytes) {
      const position = this.#head & this.#mask;
      const word = words[position >>> 2];
      const length = word & LENGTH_MASK;
      const kind = word >>> 24;
      const start = position + HEADER_LENGTH;
      if (kind !== SKIP) use(kind, words[(position >>> 2) + 1], bytes, start, start + length);
      this.#head = this.#head + HEADER_LENGTH + ((length + 7) & ~7) | 0;
    }
    Atomics.store(control, HEAD, this.#head);
    return Atomics.load(control, WANTED) === 1 && Atomics.exchange(control, WANTED, 0) === 1;
  }
}
