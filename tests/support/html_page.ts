/**
 * Reads HTML as far as tests of pages need it: what it says, whether its tags fit together, its forms.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

/** A tag with its attributes; `text` is the source behind it up to the next tag. */
interface Tag {
  readonly name: string;
  readonly isEnd: boolean;
  readonly attributes: ReadonlyMap<string, string>;
  readonly text: string;
}

/** A form, with what would be sent by each of its buttons. */
export interface HtmlForm {
  readonly method: string;
  /** Undefined where it is the page's own. */
  readonly action: string | undefined;
  /** Of several of one name, the last. */
  readonly fields: Readonly<Record<string, string>>;
  /** All of them, in order. */
  readonly pairs: readonly (readonly [name: string, value: string])[];
  readonly buttons: readonly { readonly name: string; readonly value: string; readonly text: string }[];
}

const EMPTY_TAGS = ["br", "hr", "img", "input", "link", "meta", "col"];
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", "#34": '"', "#39": "'" };

/** A page. */
export class HtmlPage {
  readonly html: string;
  readonly #tags: readonly Tag[];

  /** Fails if tags do not fit together, or something in them is not escaped. */
  constructor(html: string) {
    this.html = html;
    this.#tags = tagsOf(html);
    const open: string[] = [];
    for (const { name, isEnd } of this.#tags) {
      if (isEnd) assertEquals(open.pop(), name, `</${name}> in ${html}`);
      else if (!EMPTY_TAGS.includes(name)) open.push(name);
    }
    assertEquals(open, []);
  }

  /** What is there to read, with a space for each tag and run of spaces. */
  get text(): string {
    return decode(this.html.replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ").trim();
  }

  /** Texts of all tags of a name, up to their ends. */
  all(name: string): string[] {
    return [...this.html.matchAll(new RegExp(`<${name}(?=[ >])[^>]*>(.*?)</${name}>`, "gs"))]
      .map(([, inside]) => new HtmlPage(inside).text);
  }

  /** The cells of each row of the page's tables. */
  get rows(): string[][] {
    return [...this.html.matchAll(/<tr[ >].*?<\/tr>/gs)].map(([row]) =>
      [...row.matchAll(/<t[hd](?=[ >])[^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => new HtmlPage(cell).text)
    );
  }

  /** Where all links lead. */
  get links(): string[] {
    return this.#tags.flatMap(({ attributes }) => attributes.get("href") ?? []);
  }

  /** All forms. */
  get forms(): HtmlForm[] {
    return [...this.html.matchAll(/<form(?=[ >]).*?<\/form>/gs)].map(([source]) => {
      const tags = tagsOf(source);
      const inputs = tags.filter(({ name }) => name === "input");
      const buttons = tags.filter(({ name, isEnd }) => name === "button" && !isEnd);
      const pairs = inputs.map(({ attributes }): [string, string] => [
        attributes.get("name") ?? "",
        attributes.get("value") ?? "",
      ]);
      return {
        method: tags[0].attributes.get("method") ?? "get",
        action: tags[0].attributes.get("action"),
        fields: Object.fromEntries(pairs),
        pairs,
        buttons: buttons.map(({ attributes, text }) => ({
          name: attributes.get("name") ?? "",
          value: attributes.get("value") ?? "",
          text: decode(text),
        })),
      };
    });
  }

  /** The form with a button of that text, and what the button sends. */
  button(text: string): { readonly action: string | undefined; readonly body: string } {
    for (const { action, pairs, buttons } of this.forms) {
      const button = buttons.find((each) => each.text === text);
      if (button === undefined) continue;
      return {
        action,
        body: new URLSearchParams([...pairs.map(([...pair]) => pair), [button.name, button.value]])
          .toString(),
      };
    }
    throw new Error(`No button ${JSON.stringify(text)} in ${this.html}`);
  }
}

function tagsOf(html: string): Tag[] {
  const tags: Tag[] = [];
  let end = 0;
  const pattern = /<(\/?)([a-z][a-z0-9-]*)((?: +[a-z][a-z0-9-]*(?:="[^"<>]*")?)*) *>/g;
  for (const match of html.replace(/^<!doctype html>/, " ".repeat(15)).matchAll(pattern)) {
    assert(
      !/[<>]/.test(html.slice(end, match.index).replace(/^<!doctype html>/, "")),
      `what is escaped in ${html}`,
    );
    end = match.index + match[0].length;
    const next = html.indexOf("<", end);
    tags.push({
      isEnd: match[1] === "/",
      name: match[2],
      attributes: new Map(
        [...match[3].matchAll(/([a-z][a-z0-9-]*)(?:="([^"]*)")?/g)].map((
          [, name, value = ""],
        ) => [name, decode(value)]),
      ),
      text: html.slice(end, next < 0 ? undefined : next),
    });
  }
  assert(!/[<>]/.test(html.slice(end)), `what is escaped in ${html}`);
  return tags;
}

function decode(text: string): string {
  return text.replace(/&(#?\w+);/g, (entity, name) => ENTITIES[name] ?? entity);
}
