/**
 * A live tap: a button shows messages as they come. Nothing is looked at while the page is hidden.
 *
 * @module
 */
/// <reference lib="dom" />

import type { ScriptTexts } from "./script_texts.ts";

/** Rows that are kept. */
const ROWS_MAX = 200;

/** Makes the form of a tap live, if the page has one. */
export function useTap(texts: ScriptTexts): void {
  const form = document.querySelector<HTMLFormElement>("form[data-tap]");
  const body = document.querySelector("tbody");
  if (form === null || body === null) return;
  let events: EventSource | undefined;
  let isWanted = false;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "plain" });
  const state = Object.assign(document.createElement("span"), { className: "live" });
  state.setAttribute("role", "status");
  form.append(button, state);

  function show(): void {
    const isOpen = isWanted && !document.hidden;
    if (isOpen && events === undefined) events = open();
    else if (!isOpen) {
      events?.close();
      events = undefined;
    }
    button.textContent = isWanted ? texts.stopWatching : texts.watch;
  }

  function open(): EventSource {
    const query = new URLSearchParams(new FormData(form ?? undefined) as unknown as Record<string, string>);
    const source = new EventSource(`${form?.dataset.tap}?${query}`);
    source.addEventListener("open", () => state.textContent = texts.watching);
    source.addEventListener("message", ({ data }) => add(data));
    source.addEventListener("problem", ({ data }) => state.textContent = data);
    source.addEventListener("over", ({ data }) => end(data));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        end(texts.tapRefused);
      }
    });
    return source;
  }

  function end(text: string): void {
    isWanted = false;
    show();
    state.textContent = text;
  }

  function add(html: string): void {
    const table = new DOMParser().parseFromString(`<table><tbody>${html}</tbody></table>`, "text/html");
    const row = table.querySelector("tr");
    if (row === null || body === null) return;
    body.querySelector("td[colspan]")?.closest("tr")?.remove();
    body.prepend(row);
    if (body.rows.length > ROWS_MAX) body.lastElementChild?.remove();
  }

  button.addEventListener("click", () => {
    isWanted = !isWanted;
    state.textContent = "";
    show();
  });
  document.addEventListener("visibilitychange", show);
  show();
}
