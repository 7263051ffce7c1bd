/**
 * HTML made on the server from TSX: what the compiler turns tags into (`jsx: "precompile"` in deno.json). Everything that is
 * not written in a source file is escaped, and what is written as an attribute that could run or load something is
 * refused: names, addresses and texts of errors are strangers'.
 *
 * ```
 *  <td class={kind}>{name}</td>  ─▶  jsxTemplate(["<td ", ">", "</td>"], jsxAttr("class", kind), jsxEscape(name))
 *  <Depth of={topic} />          ─▶  jsx(Depth, { of: topic })
 * ```
 *
 * @module
 */

/** HTML that can be put into a page as it is. Only this file makes any. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What may stand between tags; what says nothing is left out. */
export type Content = Markup | string | number | boolean | null | undefined | readonly Content[];

/** What may be the value of an attribute; `true` is its name alone, `false` and `undefined` none. */
export type Attribute = string | number | boolean | undefined;

/** Makes HTML of what it is given. */
export type Component<Props> = (props: Props) => Markup;

/** What the compiler asks about tags. */
export declare namespace JSX {
  type Element = Markup;
  type ElementType = string | Component<never>;
  interface ElementChildrenAttribute {
    children: unknown;
  }
  interface IntrinsicElements {
    [name: string]: { readonly [name: string]: Attribute | Content };
  }
}

/** No HTML at all. */
export const NOTHING = new Markup("");
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};
const NAME = /^[a-z][a-z0-9-]*$/;
/** A page's policy forbids them (pages.ts), so they would only seem to work. */
const RUNNING = /^(on|style$|srcdoc$)/;
const LOADING = ["href", "src", "action", "formaction"];
/** Of this server, or of this page, or nothing. Browsers take a backslash for a slash, and no notice of tabs and line ends. */
const LOCAL = /^(\/(?![/\\\t\r\n])|\?|#|$)/;
const EMPTY_TAGS = ["br", "hr", "img", "input", "link", "meta", "col"];

/** What the compiler makes of a tree of tags: texts, and between them what is not constant. */
export function jsxTemplate(texts: readonly string[], ...parts: readonly Content[]): Markup {
  let html = texts[0];
  for (let i = 0; i < parts.length; i++) html += jsxEscape(parts[i]).text + texts[i + 1];
  return new Markup(html);
}

/** An attribute. @throws {TypeError} If it could run something, or load something of elsewhere. */
export function jsxAttr(name: string, value: Attribute): Markup {
  if (!NAME.test(name) || RUNNING.test(name)) throw new TypeError(`No attribute for a page: ${name}`);
  if (value === undefined || value === false || value === null) return NOTHING;
  if (value === true) return new Markup(name);
  const text = String(value);
  if (LOADING.includes(name) && !LOCAL.test(text)) throw new TypeError(`No address for a page: ${text}`);
  return new Markup(`${name}="${escape(text)}"`);
}

/** What stands between tags. */
export function jsxEscape(content: Content): Markup {
  if (content instanceof Markup) return content;
  if (content === null || content === undefined || typeof content === "boolean") return NOTHING;
  if (typeof content === "string") return new Markup(escape(content));
  if (typeof content === "number") return new Markup(String(content));
  let html = "";
  for (const each of content) html += jsxEscape(each).text;
  return new Markup(html);
}

/** A component, or a tag that the compiler leaves to this. */
export function jsx<Props extends object>(type: string | Component<Props>, props: Props): Markup {
  if (typeof type === "function") return type(props);
  if (!NAME.test(type)) throw new TypeError(`No tag for a page: ${type}`);
  const { children, ...attributes } = props as { readonly children?: Content };
  const names = Object.entries(attributes as Readonly<Record<string, Attribute>>)
    .map(([name, value]) => jsxAttr(name, value).text)
    .filter((text) => text !== "");
  const start = `<${[type, ...names].join(" ")}>`;
  return new Markup(EMPTY_TAGS.includes(type) ? start : `${start}${jsxEscape(children).text}</${type}>`);
}

/** The same, with several children. */
export const jsxs = jsx;

/** Several without a tag around them. */
export function Fragment({ children }: { readonly children?: Content }): Markup {
  return jsxEscape(children);
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
}
