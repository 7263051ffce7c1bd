/**
 * Counts what code copies, for the tests that fix how its work grows: a count is the same on every machine, a time is
 * not.
 *
 * @module
 */

/** Does the work, and counts the bytes that typed arrays copy meanwhile, by `set()`, `slice()` and `copyWithin()`. */
export function copiedBytes(work: () => void): number {
  const methods: Uint8Array = Object.getPrototypeOf(Uint8Array.prototype);
  const { set, slice, copyWithin } = methods;
  let copied = 0;
  methods.set = function (source, offset) {
    copied += source.length;
    set.call(this, source, offset);
  };
  methods.slice = function (start, end) {
    const part = slice.call(this, start, end);
    copied += part.length;
    return part;
  };
  methods.copyWithin = function (target, start, end) {
    copied += Math.max((end ?? this.length) - start, 0);
    return copyWithin.call(this, target, start, end);
  };
  try {
    work();
  } finally {
    Object.assign(methods, { set, slice, copyWithin });
  }
  return copied;
}
