/**
 * A view of a buffer that is mostly the same as the one before: making one costs as much as reading a short command.
 *
 * @module
 */

/** Makes views of a buffer, and gives out the last one again when another would be the same. */
export class KeptView {
  #view = new Uint8Array();

  /** The bytes [start, end) of a buffer. */
  of(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): Uint8Array<ArrayBuffer> {
    const view = this.#view;
    const isSame = view.buffer === bytes.buffer && view.byteOffset === bytes.byteOffset + start &&
      view.length === end - start;
    return isSame ? view : this.#view = bytes.subarray(start, end);
  }

  /** Lets go of the buffer. */
  clear(): void {
    this.#view = new Uint8Array();
  }
}
