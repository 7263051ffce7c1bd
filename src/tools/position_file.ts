/**
 * A file that keeps how much of an input has been published: the number of bytes, in digits. It is never ahead of the
 * truth, and never half written: what is new goes into a file beside it, which takes its place.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { ToolError } from "./tool.ts";

/** A position that is kept in a file. */
export class PositionFile {
  readonly #path: string;
  #wanted: number | undefined;
  #saving: Promise<void> | undefined;
  #failure: ToolError | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Where the last run has ended; 0 if there was none. @throws {ToolError} If the file says something else. */
  read(): number {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.#path);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return 0;
      throw new ToolError(`cannot read --resume ${this.#path} - ${errorText(cause)}`, { cause });
    }
    if (!/^\d{1,15}\n?$/.test(text)) {
      throw new ToolError(`--resume ${this.#path} holds no position; remove it to begin from the start`);
    }
    return Number(text);
  }

  /** Keeps a position soon; the last one counts. */
  save(position: number): void {
    this.#wanted = position;
    this.#saving ??= this.#run();
  }

  /** Settles when the last position is kept. @throws {ToolError} If that was not possible. */
  async flush(): Promise<void> {
    await this.#saving;
    if (this.#failure) throw this.#failure;
  }

  async #run(): Promise<void> {
    while (this.#wanted !== undefined && !this.#failure) {
      const position = this.#wanted;
      this.#wanted = undefined;
      try {
        await this.#write(position);
      } catch (cause) {
        this.#failure = new ToolError(`cannot write --resume ${this.#path} - ${errorText(cause)}`, { cause });
      }
    }
    this.#saving = undefined;
  }

  async #write(position: number): Promise<void> {
    const beside = `${this.#path}.new`;
    {
      using file = await Deno.open(beside, { write: true, create: true, truncate: true });
      await file.write(new TextEncoder().encode(`${position}\n`));
      await file.syncData();
    }
    await Deno.rename(beside, this.#path);
  }
}
