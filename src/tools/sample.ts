/**
 * Parts of messages: `--sample`.
 *
 * @module
 */

import type { Kind } from "../config/kind.ts";

/** A number; whether it is one from 0 to 1 is for the tool to say, as in NSQ. */
export const fraction: Kind<number> = {
  name: "number",
  fromFlag(texts) {
    const [text] = texts.slice(-1);
    if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) throw new SyntaxError("must be a number");
    return Number(text);
  },
  fromFile() {
    throw new SyntaxError("is a flag only");
  },
  show: String,
  toJson: (value) => value,
};

/** Whether a message is of that part. */
export function isSampled(part: number, random: () => number = Math.random): boolean {
  return part >= 1 || random() < part;
}
