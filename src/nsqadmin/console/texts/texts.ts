/**
 * The table of what the pages say. Pages have it of the request (request.ts), as `request.texts`: so a reader can have his own
 * language, and whoever reads a page's code reads what is said where.
 *
 * Another language is a file beside english.tsx, a constant of this type: what is missing or left over in it is an error of the
 * type checker. Which one a reader has is decided in one place, `refusedRequest()` of request.ts. Figures and times are written alike
 * in all of them, as logs and files have them.
 *
 * Not in the table is what is an API: names of topics, channels, nodes, flags, roles and rules, what files, JSON and logs say, and
 * what daemons and connections give as their reasons.
 *
 * @module
 */

import type { ENGLISH } from "./english.tsx";

/** All of it, in one language. */
export type Texts = ReadonlyTree<typeof ENGLISH>;

type ReadonlyTree<T> = T extends (...values: never) => unknown ? T
  : T extends object ? { readonly [Key in keyof T]: ReadonlyTree<T[Key]> }
  : T;
