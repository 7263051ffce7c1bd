/**
 * Lines on their way to a file, a pipe or a terminal, whose other end may be slow, stuck, full or gone. Whoever writes a
 * line never waits: it goes into a buffer, and what has gathered there goes out in one write at a time.
 *
 * ```
 *  write() ──▶ buffer, up to a number of bytes ──▶ one write after the other ──▶ the target
 *    └─ full, or the target fails: dropped, and counted
 * ```
 *
 * A gap says so: lines are dropped until what came before the gap is out; then a line with their number follows, and after
 * it those that come next.
 *
 * @module
 */

/** What bytes are written to. May take as long as it likes, and fewer bytes than it is given. */
export interface ByteTarget {
  write(bytes: Uint8Array): Promise<number>;
}

/** What {@linkcode LineWriter} is made from. */
export interface LineWriterOptions {
  readonly target: ByteTarget;
  /** Bytes that may wait, with those that are being written. @default {1048576} */
  readonly bytesMax?: number;
  /** The line that stands for so many that were dropped. */
  readonly droppedLine: (count: number) => string;
  /** Writing failed, or works again: undefined. Told of changes only. */
  readonly onChange?: (error: unknown) => void;
}

const BYTES_MAX = 1024 * 1024;
const SIZE_MIN = 4096;
const NEWLINE = 10;
/** A target that somebody has made non-blocking, and that is full, is tried again after so long. */
const RETRY_MS = 50;

const ENCODER = new TextEncoder();
const LINE_END = Uint8Array.of(NEWLINE);

/**
 * Writes lines without ever waiting.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LineWriter } from "./line_writer.ts";
 *
 * let written = "";
 * const target = {
 *   write(bytes: Uint8Array) {
 *     written += new TextDecoder().decode(bytes);
 *     return Promise.resolve(bytes.length);
 *   },
 * };
 * const writer = new LineWriter({ target, droppedLine: (count) => `${count} dropped` });
 * writer.write("one");
 * writer.write("two");
 * await writer.flush(1000);
 * assertEquals(written, "one\ntwo\n");
 * ```
 */
export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #bytesMax: number;
  #target: ByteTarget;
  #buffer = new Uint8Array(SIZE_MIN);
  #end = 0;
  /** Bytes that are being written. */
  #underWay = 0;
  /** Lines since the last one that was kept. */
  #dropped = 0;
  /** Of the lines in the buffer, or being written, one stands for so many others. */
  #noticed = 0;
  #running: Promise<void> | undefined;
  #failing = false;
  /** What was written last ended within a line. */
  #torn = false;

  constructor(options: LineWriterOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? BYTES_MAX;
    this.#target = options.target;
  }

  /** Lines that have been dropped, and not been told of yet. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes a line, which has no line end in it, as soon as that is possible; or drops it. */
  write(line: string): void {
    // A gap lasts until what came before it is out.
    const isInGap = this.#dropped > 0 && this.#running !== undefined;
    if (!isInGap && this.#dropped > 0) this.#notice();
    if (isInGap || !this.#append(line)) this.#dropped++;
    this.#running ??= this.#run();
  }

  /** Lets what is written from now on go somewhere else; settles when nothing is being written to the old target. */
  async redirect(target: ByteTarget): Promise<void> {
    this.#target = target;
    const before = this.#running;
    if (this.#underWay > 0) await before;
  }

  /** Waits until all is written that can be, but not longer than `timeoutMs`; false when that was not enough. */
  async flush(timeoutMs: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), timeoutMs));
    const written = this.#written();
    try {
      return await Promise.race([written, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #written(): Promise<true> {
    while (this.#running) await this.#running;
    return true;
  }

  /** Puts the line into the buffer; false if there is no room for it. */
  #append(line: string): boolean {
    const start = this.#end;
    const roomMax = this.#bytesMax - this.#underWay;
    for (;;) {
      const { read, written } = ENCODER.encodeInto(line, this.#buffer.subarray(start, roomMax));
      const end = start + written;
      if (read === line.length && end < Math.min(this.#buffer.length, roomMax)) {
        this.#buffer[end] = NEWLINE;
        this.#end = end + 1;
        return true;
      }
      if (this.#buffer.length >= roomMax) return false;
      this.#grow();
    }
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#buffer.length);
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }

  /** Puts the line that tells of a gap into the buffer. */
  #notice(): void {
    const count = this.#dropped;
    if (!this.#append(this.#options.droppedLine(count))) return;
    this.#noticed = count;
    this.#dropped = 0;
  }

  async #run(): Promise<void> {
    // What comes in the same turn goes out in the same write.
    await Promise.resolve();
    let works = true;
    while (this.#end > 0) {
      works = await this.#writeBuffer();
      // A target that fails is tried again when there is something new to write.
      if (works && this.#end === 0 && this.#dropped > 0) this.#notice();
    }
    this.#running = undefined;
  }

  /** Writes what is in the buffer; false if that has failed. */
  async #writeBuffer(): Promise<boolean> {
    const bytes = this.#buffer.subarray(0, this.#end);
    const noticed = this.#noticed;
    this.#noticed = 0;
    this.#buffer = new Uint8Array(SIZE_MIN);
    this.#end = 0;
    this.#underWay = bytes.length;
    let written = 0;
    try {
      if (this.#torn) await this.#writeSome(LINE_END);
      this.#torn = false;
      while (written < bytes.length) written += await this.#writeSome(bytes.subarray(written));
      this.#changed(undefined);
      return true;
    } catch (error) {
      this.#torn ||= written > 0 && bytes[written - 1] !== NEWLINE;
      // The line that stood for others is lost with them; it is the first.
      const isNoticeLost = noticed > 0 && bytes.indexOf(NEWLINE) >= written;
      this.#dropped += linesIn(bytes.subarray(written)) + (isNoticeLost ? noticed - 1 : 0);
      this.#changed(error);
      return false;
    } finally {
      this.#underWay = 0;
    }
  }

  async #writeSome(bytes: Uint8Array): Promise<number> {
    for (;;) {
      try {
        return await this.#target.write(bytes);
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #changed(error: unknown): void {
    const fails = error !== undefined;
    if (fails === this.#failing) return;
    this.#failing = fails;
    this.#options.onChange?.(error);
  }
}

function linesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
