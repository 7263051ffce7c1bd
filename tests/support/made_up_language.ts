/**
 * A language in which all that pages say stands between marks, made of the English table: what a page says outside of them is not
 * in the table.
 *
 * ```
 *  (name) => `Node ${name} is gone`   of "n1"  ─▶  ⟦Node ⟧n1⟦ is gone⟧
 * ```
 *
 * @module
 */

import { Markup } from "../../src/nsqadmin/console/markup.ts";
import { ENGLISH } from "../../src/nsqadmin/console/texts/english.tsx";
import type { Texts } from "../../src/nsqadmin/console/texts/texts.ts";

const [BEGIN, END] = ["⟦", "⟧"];
/** Attributes that people read, or have read to them. */
const SAID_ATTRIBUTES = /\s(?:aria-label|title|placeholder)="([^"]*)"/g;
/** Addresses, bodies, flags and rules, which are as they are. */
const CODE = /<code[^>]*>.*?<\/code>/gs;
/** What the HTTP client gives as its reason. */
const CLIENT_WORDS = /\b(?:(?:Get|Post) &#34;https?:|got response \d)[^<⟦⟧]*/g;
/** Of a message. */
const ID = /\b[0-9a-f]{16}\b/g;
const ENTITIES = /&#?\w+;/g;

/** The language. */
export const MADE_UP = marked(ENGLISH) as Texts;

/** The words of a page that are neither in the table nor known, as names and others' words are. */
export function unmarkedWords(html: string, known: readonly string[] = []): string[] {
  const said = [
    html.replace(CODE, " ").replace(CLIENT_WORDS, " ").replace(/<[^>]*>/g, " "),
    ...Array.from(html.matchAll(SAID_ATTRIBUTES), ([, text]) => text),
  ];
  const unmarked = said.map((text) => lettersOf(outsideOfMarks(text)));
  // The longest first: there may be names in others' words.
  const phrases = known.map((text) => lettersOf(text).trim()).sort((a, b) => b.length - a.length);
  const unknown = phrases.reduce(
    (text, phrase) => text.replaceAll(new RegExp(`(?<= )${phrase}(?= )`, "g"), ""),
    unmarked.join(" | "),
  );
  return unknown.match(/\p{L}{2,}/gu) ?? [];
}

function lettersOf(text: string): string {
  return ` ${text.replace(ENTITIES, " ").replace(ID, " ").replace(/\P{L}+/gu, " ")} `;
}

/** What is the table's is marked; what comes from elsewhere, and is only put into it, is not. */
function marked(said: unknown): unknown {
  if (typeof said === "string") return BEGIN + said + END;
  if (said instanceof Markup) return new Markup(BEGIN + said.text + END);
  return throughout(said, marked, given);
}

function given(value: unknown): unknown {
  if (typeof value === "string") return END + value + BEGIN;
  if (value instanceof Markup) return new Markup(END + value.text + BEGIN);
  return throughout(value, given, marked);
}

/** Does it to all that is in a value, to what a function makes, and the opposite to what that is given. */
function throughout(
  value: unknown,
  change: (value: unknown) => unknown,
  opposite: (value: unknown) => unknown,
): unknown {
  if (typeof value === "function") {
    return (...values: unknown[]) => change(Reflect.apply(value, undefined, values.map(opposite)));
  }
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, change(each)]));
}

function outsideOfMarks(text: string): string {
  let depth = 0;
  let outside = "";
  for (const character of text) {
    if (character === BEGIN) depth++;
    else if (character === END) depth--;
    else if (depth === 0) outside += character;
    // Words on both sides of what is marked are two.
    if (character === BEGIN) outside += " ";
  }
  return outside;
}
