/**
 * What the pages do in a browser that runs scripts: they stay up to date, and can be used by keys. Without it they are the same
 * pages, as of when they were loaded. `deno task console` makes console.js of it, which is what browsers get.
 *
 * A page that has `data-events` is told of each round of the poller, loads itself anew then, and takes over what has changed, so
 * that whatever is focused, selected or being typed stays. Nothing is loaded, and no connection kept, while it is hidden.
 *
 * @module
 */
/// <reference lib="dom" />

import { usePalette } from "./palette.ts";
import type { ScriptTexts } from "./script_texts.ts";
import { useTap } from "./tap.ts";

const root = document.documentElement;
const eventsPath = root.dataset.events;
const texts = JSON.parse(document.body.dataset.texts ?? "{}") as ScriptTexts;

if (eventsPath !== undefined) keepUpToDate(eventsPath);
useKeys();
useTap(texts);

function keepUpToDate(path: string): void {
  let events: EventSource | undefined;
  let isPaused = root.dataset.live === "off";
  const state = Object.assign(document.createElement("p"), { className: "live" });
  state.setAttribute("role", "status");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "plain" });
  document.querySelector("footer")?.append(state, button);

  function show(): void {
    const isWanted = !isPaused && !document.hidden;
    if (isWanted && events === undefined) events = listen();
    else if (!isWanted) {
      events?.close();
      events = undefined;
    }
    button.textContent = isPaused ? texts.goOnUpdating : texts.stopUpdating;
    if (isPaused) say(texts.notUpdated, false);
  }

  function listen(): EventSource {
    const source = new EventSource(path);
    source.addEventListener("round", () => void update());
    source.addEventListener("open", () => say("", false));
    source.addEventListener("error", () => {
      say(texts.numbersAreOld, true);
      // It was refused: who has to log in sees it by the page.
      if (source.readyState === EventSource.CLOSED) void update();
    });
    return source;
  }

  function say(text: string, isOld: boolean): void {
    if (state.textContent !== text) state.textContent = text;
    root.classList.toggle("old", isOld);
  }

  button.addEventListener("click", () => {
    isPaused = !isPaused;
    show();
  });
  document.addEventListener("visibilitychange", show);
  show();
}

let isUpdating = false;
/** Something has happened since the page is being loaded anew. */
let isBehind = false;

/** Brings the page up to date, as often as there is something new; one load at a time, however long each takes. */
async function update(): Promise<void> {
  isBehind = true;
  if (isUpdating) return;
  isUpdating = true;
  try {
    while (isBehind) {
      isBehind = false;
      await load();
    }
  } finally {
    isUpdating = false;
  }
}

/** Loads the page anew, and takes over what has changed. */
async function load(): Promise<void> {
  // What was done is not to be said again and again.
  const url = new URL(location.href);
  url.searchParams.delete("done");
  let text: string;
  try {
    // The cluster need not be asked again for what other pages have just been told.
    const response = await fetch(url, { cache: "no-store", headers: { "X-Nsqadmin-Update": "1" } });
    // To the login page.
    if (response.redirected) return location.reload();
    if (!response.ok) return;
    text = await response.text();
  } catch (error) {
    // The connection is gone, of which the event source tells.
    if (error instanceof TypeError) return;
    throw error;
  }
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (fresh !== null && main !== null) takeOver(main, fresh);
}

/** Takes over what has changed. Rows may stand elsewhere then: what is ticked and focused goes with them. */
function takeOver(main: Element, fresh: Element): void {
  const boxes = () => [...main.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];
  const ticked = new Set(boxes().filter(({ checked }) => checked).map(({ value }) => value));
  const focused = document.activeElement;
  const [row, thing] = focused === null ? ["", ""] : [rowOf(focused), thingOf(focused)];
  patch(main, fresh);
  for (const box of boxes()) box.checked = ticked.has(box.value);
  if (!(focused instanceof HTMLElement) || focused.isConnected && rowOf(focused) === row) return;
  const things = main.querySelectorAll<HTMLElement>("a, button, input");
  const same = [...things].find((each) => thingOf(each) === thing && rowOf(each) === row);
  if (same !== undefined) same.focus({ preventScroll: true });
  // Of another row by now: a key would do something else than was meant.
  else focused.blur();
}

/** What the row of an element is about; nothing for what is in no row. */
function rowOf(element: Element): string {
  const head = element.closest("tbody tr")?.querySelector("th");
  return head?.querySelector("a")?.href ?? head?.textContent ?? "";
}

/** Which of the things in a row, or outside of all rows, an element is. */
function thingOf(element: Element): string {
  if (element instanceof HTMLAnchorElement) return `link ${element.href}`;
  if (element instanceof HTMLButtonElement) return `button ${element.value} ${element.form?.action}`;
  return element instanceof HTMLInputElement ? `field ${element.name} ${element.value}` : "";
}

/** Makes an element like another, and leaves alone what is like it. */
function patch(old: Element, fresh: Element): void {
  // What is typed or chosen is the reader's.
  if (old.matches("input:not([type=hidden], [type=checkbox]), select, textarea")) return;
  for (const { name } of [...old.attributes]) {
    // Whether something is open is the reader's.
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let next = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    let known = next;
    while (known !== null && !isSame(known, node)) known = known.nextSibling;
    if (known === null) {
      old.insertBefore(node, next);
      continue;
    }
    // What has come or gone before it leaves it as it is, with what is typed in it.
    while (next !== known) next = removed(next);
    if (known instanceof Element && node instanceof Element) patch(known, node);
    else if (known instanceof Text && node instanceof Text && known.data !== node.data) {
      known.data = node.data;
    }
    next = known.nextSibling;
  }
  while (next !== null) next = removed(next);
}

/** Takes a node away; the one behind it. */
function removed(node: ChildNode | null): ChildNode | null {
  const next = node?.nextSibling ?? null;
  node?.remove();
  return next;
}

/** Whether the one stands where the other stood, whatever is in it by now. */
function isSame(old: Node, fresh: Node): boolean {
  if (!(old instanceof Element) || !(fresh instanceof Element)) return old.nodeType === fresh.nodeType;
  return old.tagName === fresh.tagName && old.id === fresh.id && old.className === fresh.className &&
    ["action", "aria-label"].every((name) => old.getAttribute(name) === fresh.getAttribute(name));
}

/** Keys; the page lists them (layout.tsx). */
function useKeys(): void {
  const help = document.querySelector<HTMLDialogElement>("dialog#keys");
  const openPalette = usePalette(texts);
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      return openPalette();
    }
    const isTyping = target instanceof HTMLElement &&
      target.closest("input:not([type=checkbox], [type=radio]), textarea, select") !== null;
    if (isTyping && key === "Escape" && target.closest("dialog") === null) {
      // What is typed stays.
      event.preventDefault();
      return target.blur();
    }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (isGoing) {
      isGoing = false;
      document.querySelector<HTMLAnchorElement>(`a[data-key="${CSS.escape(key)}"]`)?.click();
    } else if (key === "g") isGoing = true;
    else if (key === "/") document.querySelector<HTMLInputElement>("main input[type=search]")?.focus();
    else if (key === "?") help?.showModal();
    else if (key === "j" || key === "k") focusRow(key === "j" ? 1 : -1);
    else if (key === "x") tickRow();
    else if (key === "p") askToPause();
    else if (key === "Enter" && isBox(target)) target.closest("tr")?.querySelector("a")?.click();
    else return;
    event.preventDefault();
  });
}

/** Goes from row to row of the tables. */
function focusRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll("main tbody tr")].filter((row) =>
    row.querySelector("th a") !== null
  );
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? 0 : at + step;
  rows[next]?.querySelector<HTMLElement>("th a")?.focus();
}

/** The box of the row that is focused. */
function rowBox(): HTMLInputElement | null | undefined {
  return document.activeElement?.closest("tbody tr")?.querySelector<HTMLInputElement>("input[type=checkbox]");
}

/** Ticks the row that is focused, or no more. */
function tickRow(): void {
  rowBox()?.click();
}

function isBox(target: EventTarget | null): target is HTMLInputElement {
  return target instanceof HTMLInputElement && target.type === "checkbox";
}

/** Asks whether what the page is about is to be paused, or to go on; of a table's rows, those that are ticked, or else the focused one. */
function askToPause(): void {
  const button = document.querySelector<HTMLButtonElement>("main button[data-key=p]");
  const form = button?.form;
  if (!button || !form) return;
  if (document.querySelector("tbody input:checked") === null) rowBox()?.click();
  // By the button it would be done at once; a key is soon hit.
  const action = `ask-${button.value.replace(/^ask-/, "")}`;
  form.append(
    Object.assign(document.createElement("input"), { type: "hidden", name: "action", value: action }),
  );
  form.submit();
}
