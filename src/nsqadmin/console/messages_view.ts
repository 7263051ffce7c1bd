/**
 * How the messages of a channel are looked at: all of it is in the URL.
 *
 * @module
 */

/** See above; each is a parameter of the page, and empty for what is usual. */
export interface MessagesView {
  /** `host:port` of the node; the first that there is. */
  readonly node: string;
  /** A name of {@linkcode STATES}; all. */
  readonly state: string;
  /** What is searched for: a name of {@linkcode SEARCHES}; a text. */
  readonly by: string;
  /** The text, the pattern or the path; everything. */
  readonly search: string;
  /** What the path has; anything. */
  readonly value: string;
  /** `hex` or `json`, which is laid out; text. */
  readonly as: string;
  /** Where the page begins; at the first message. */
  readonly cursor: string;
}

/** States by what people call them, with those of nsqd; dead letters are in other topics. */
export const STATES = {
  waiting: "waiting",
  "in-flight": "in_flight",
  deferred: "deferred,parked",
  dead: "",
} as const;

/** What can be searched for, with nsqd's parameter. */
export const SEARCHES = {
  text: "contains",
  pattern: "regex",
  path: "path",
} as const;

/** Reads how messages are to be looked at; what is no name of anything is what is usual. */
export function messagesView(query: ReadonlyMap<string, string>): MessagesView {
  const text = (name: string) => query.get(name) ?? "";
  const nameOf = (name: string, names: object) => Object.hasOwn(names, text(name)) ? text(name) : "";
  return {
    node: text("node"),
    state: nameOf("state", STATES),
    by: nameOf("by", SEARCHES),
    search: text("search"),
    value: text("value"),
    as: bodyForm(text("as")),
    cursor: text("cursor"),
  };
}

/** How bodies are shown: as texts if it is no name of anything. */
export function bodyForm(name: string): "hex" | "json" | "" {
  return name === "hex" || name === "json" ? name : "";
}

/** The page's query for it. */
export function viewQuery(view: MessagesView): string {
  return `?${new URLSearchParams(Object.entries(view).filter(([, value]) => value !== ""))}`;
}

/** What nsqd's `/messages` is asked for it. */
export function askedParameters({ state, by, search, value, cursor }: MessagesView): Record<string, string> {
  const isSearch = search !== "";
  const parameter = SEARCHES[by === "pattern" || by === "path" ? by : "text"];
  return {
    state: isName(state, STATES) ? STATES[state] : "",
    cursor,
    [parameter]: search,
    value: isSearch && parameter === "path" ? value : "",
  };
}

function isName<Names extends object>(name: string, names: Names): name is string & keyof Names {
  return Object.hasOwn(names, name);
}
