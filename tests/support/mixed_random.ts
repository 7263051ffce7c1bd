/**
 * Random numbers for tests that put several of them together: of a plain xorshift the low bits of numbers that follow
 * each other depend on one another, so that some combinations of choices never come.
 *
 * @module
 */
import { Random } from "./random.ts";

/** A {@linkcode Random} whose bits are mixed. */
export class MixedRandom extends Random {
  /** The next number; MurmurHash3 ends in the same way. */
  override next(): number {
    let x = super.next();
    x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
    x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
    return (x ^ x >>> 16) >>> 0;
  }
}
