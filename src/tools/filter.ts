/**
 * Which messages are wanted: an expression over the body, as JSON, and the message's own fields.
 *
 * ```
 *  or      = and { "||" and }
 *  and     = not { "&&" not }
 *  not     = "!" not | compare
 *  compare = operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) operand | "=~" string ]
 *  operand = "(" or ")" | "has(" path ")" | path | field | string | number | "true" | "false" | "null"
 *  path    = ".user.id" | ".items[0]" | "."
 *  field   = "topic" | "channel" | "node" | "id" | "attempts" | "timestamp" (ms since 1970) | "body" (text) | "size"
 * ```
 *
 * Nothing is converted: values of different types are not equal, and neither less nor greater; what is not there equals
 * nothing. Regular expressions are RE2's, which need time in proportion to the text, whatever is in it. Pure.
 *
 * @module
 */

import { RE2JS } from "re2js";
import { jsonIn, pathAt, valueAt } from "./json_path.ts";
import type { MessageFields } from "./message_form.ts";

/** Whether a message is wanted. */
export type Filter = (message: MessageFields) => boolean;

/** A message whose body is read as JSON or text when something asks for it, once. */
class Subject {
  readonly message: MessageFields;
  #json: { readonly value: unknown } | undefined;
  #text: string | undefined;

  constructor(message: MessageFields) {
    this.message = message;
  }

  get json(): unknown {
    this.#json ??= { value: jsonIn(this.message.body) };
    return this.#json.value;
  }

  get text(): string {
    return this.#text ??= new TextDecoder().decode(this.message.body);
  }
}

type Value = (subject: Subject) => unknown;

const FIELDS: Readonly<Record<string, Value>> = {
  topic: ({ message }) => message.topic,
  channel: ({ message }) => message.channel,
  node: ({ message }) => message.node,
  id: ({ message }) => message.id,
  attempts: ({ message }) => message.attempts,
  timestamp: ({ message }) => Number(message.timestampNs / 1_000_000n),
  body: ({ text }) => text,
  size: ({ message }) => message.body.length,
};

const LITERALS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

type Comparison = (a: unknown, b: unknown) => boolean;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "==": (a, b) => same(a, b),
  "!=": (a, b) => !same(a, b),
  "<": (a, b) => ordered(a, b, (x, y) => x < y),
  "<=": (a, b) => ordered(a, b, (x, y) => x <= y),
  ">": (a, b) => ordered(a, b, (x, y) => x > y),
  ">=": (a, b) => ordered(a, b, (x, y) => x >= y),
};

/** Deeper parentheses are refused. */
const DEPTH_MAX = 100;

/**
 * Messages with bodies in which the regular expression is found.
 *
 * @throws {SyntaxError} If it is none.
 */
export function grep(pattern: string): Filter {
  const { test } = compiled(pattern);
  const decoder = new TextDecoder();
  return ({ body }) => test(decoder.decode(body));
}

/**
 * Reads an expression.
 *
 * @throws {SyntaxError} If it is none; the message says where.
 */
export function parseFilter(text: string): Filter {
  const value = new Parser(text).parse();
  return (message) => isTrue(value(new Subject(message)));
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Value {
    const value = this.#or();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #or(): Value {
    let left = this.#and();
    while (this.#takes(/\|\|/y) !== undefined) {
      const [a, b] = [left, this.#and()];
      left = (subject) => isTrue(a(subject)) || isTrue(b(subject));
    }
    return left;
  }

  #and(): Value {
    let left = this.#not();
    while (this.#takes(/&&/y) !== undefined) {
      const [a, b] = [left, this.#not()];
      left = (subject) => isTrue(a(subject)) && isTrue(b(subject));
    }
    return left;
  }

  #not(): Value {
    if (this.#takes(/!(?!=)/y) === undefined) return this.#compare();
    this.#deeper();
    const value = this.#not();
    this.#depth--;
    return (subject) => !isTrue(value(subject));
  }

  #compare(): Value {
    const left = this.#operand();
    if (this.#takes(/=~/y) !== undefined) {
      const pattern = this.#string();
      if (pattern === undefined) throw this.#unexpected("a string with a regular expression");
      const { test } = compiled(pattern);
      return (subject) => {
        const value = left(subject);
        return typeof value === "string" && test(value);
      };
    }
    const sign = this.#takes(/==|!=|<=|>=|<|>/y);
    if (sign === undefined) return left;
    const compare = COMPARISONS[sign];
    const right = this.#operand();
    return (subject) => compare(left(subject), right(subject));
  }

  #operand(): Value {
    if (this.#takes(/\(/y) !== undefined) {
      this.#deeper();
      const inner = this.#or();
      if (this.#takes(/\)/y) === undefined) throw this.#unexpected(")");
      this.#depth--;
      return inner;
    }
    if (this.#takes(/has\s*\(/y) !== undefined) {
      const path = this.#path();
      if (path === undefined) throw this.#unexpected("a path");
      if (this.#takes(/\)/y) === undefined) throw this.#unexpected(")");
      return (subject) => path(subject) !== undefined;
    }
    const text = this.#string();
    if (text !== undefined) return () => text;
    const number = this.#takes(/-?\d+(\.\d+)?([eE][-+]?\d+)?/y);
    if (number !== undefined) return () => Number(number);
    const path = this.#path();
    if (path !== undefined) return path;
    const start = this.#at;
    const word = this.#takes(/[A-Za-z_]\w*/y);
    if (word !== undefined && Object.hasOwn(FIELDS, word)) return FIELDS[word];
    if (word !== undefined && LITERALS.has(word)) return () => LITERALS.get(word);
    this.#at = start;
    throw this.#unexpected(`a path (.name), a value, or one of ${Object.keys(FIELDS).join(", ")}`);
  }

  #path(): Value | undefined {
    this.#takes(/\s*/y);
    const found = pathAt(this.#text, this.#at);
    if (found === undefined) return undefined;
    this.#at = found.end;
    return ({ json }) => valueAt(json, found.path);
  }

  #string(): string | undefined {
    const text = this.#takes(/"(?:[^"\\]|\\.)*"|'[^']*'/y);
    if (text === undefined) return undefined;
    if (text.startsWith("'")) return text.slice(1, -1);
    try {
      return JSON.parse(text) as string;
    } catch (cause) {
      throw new SyntaxError(`not a string of JSON: ${text}`, { cause });
    }
  }

  /** The next symbol, if it is such a one. */
  #takes(symbol: RegExp): string | undefined {
    const space = /\s*/y;
    space.lastIndex = this.#at;
    space.exec(this.#text);
    symbol.lastIndex = space.lastIndex;
    const found = symbol.exec(this.#text);
    if (found === null) return undefined;
    this.#at = symbol.lastIndex;
    return found[0];
  }

  #deeper(): void {
    if (++this.#depth > DEPTH_MAX) throw new SyntaxError(`more than ${DEPTH_MAX} parentheses in one another`);
  }

  #unexpected(expected = "the end"): SyntaxError {
    const rest = this.#text.slice(this.#at).trim();
    const found = rest === "" ? "the end" : JSON.stringify(rest.slice(0, 20));
    return new SyntaxError(`expected ${expected} at position ${this.#at}, found ${found}`);
  }
}

function compiled(pattern: string): { readonly test: (text: string) => boolean } {
  try {
    const re = RE2JS.compile(pattern);
    return { test: (text) => re.matcher(text).find() };
  } catch (cause) {
    throw new SyntaxError(`not a regular expression: ${(cause as Error).message}`, { cause });
  }
}

/** Whether a value counts as true: as in JavaScript, but for what has no value. */
function isTrue(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "";
}

function same(a: unknown, b: unknown): boolean {
  return a !== undefined && b !== undefined && a === b;
}

function ordered(
  a: unknown,
  b: unknown,
  compare: (x: number | string, y: number | string) => boolean,
): boolean {
  if (typeof a === "number" && typeof b === "number") return compare(a, b);
  return typeof a === "string" && typeof b === "string" && compare(a, b);
}
