/**
 * How much is delivered before others, and the sockets, have their turn.
 *
 * @module
 */

/** What is left of it, in messages and in bytes of their bodies. */
export class PumpBudget {
  #messages: number;
  #bytes: number;

  constructor(messages: number, bytes: number) {
    this.#messages = messages;
    this.#bytes = bytes;
  }

  /** True when nothing more is to be delivered. */
  get isSpent(): boolean {
    return this.#messages <= 0 || this.#bytes <= 0;
  }

  /** A message of so many bytes was delivered. */
  spend(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
  }

  /** Lets `use` have a part of it, so much at most. */
  share(messages: number, bytes: number, use: (part: PumpBudget) => void): void {
    const [shareMessages, shareBytes] = [Math.min(messages, this.#messages), Math.min(bytes, this.#bytes)];
    const part = new PumpBudget(shareMessages, shareBytes);
    use(part);
    this.#messages -= shareMessages - part.#messages;
    this.#bytes -= shareBytes - part.#bytes;
  }
}
