/**
 * The palette: topics, channels, nodes and pages by parts of their names, from wherever one is. It is the form of /search in a
 * dialog, with what is found below it as one types; the page has it (layout.tsx).
 *
 * @module
 */
/// <reference lib="dom" />

import type { ScriptTexts } from "./script_texts.ts";

/** As `/search?format=json` tells it. */
interface Found {
  readonly kind: keyof ScriptTexts["kinds"];
  readonly name: string;
  readonly path: string;
}

/** Makes it work; what is returned opens it. */
export function usePalette(texts: ScriptTexts): () => void {
  const dialog = document.querySelector<HTMLDialogElement>("dialog#palette");
  const form = dialog?.querySelector("form");
  const input = dialog?.querySelector("input");
  const list = dialog?.querySelector("ul");
  const state = dialog?.querySelector("[role=status]");
  if (!dialog || !form || !input || !list || !state) return () => {};
  const links = () => [...list.querySelectorAll("a")];
  let asking = new AbortController();

  const find = async () => {
    asking.abort();
    const { signal } = asking = new AbortController();
    const url = new URL(form.action);
    url.search = String(new URLSearchParams({ q: input.value, format: "json" }));
    try {
      const response = await fetch(url, { signal, cache: "no-store" });
      // To the login page.
      if (response.redirected) return location.reload();
      if (!response.ok) return show([], texts.cannotSearch.replace("{status}", String(response.status)));
      const { rows } = await response.json() as { readonly rows: readonly Found[] };
      show(rows, texts.found.replace("{count}", String(rows.length)));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error;
      show([], texts.connectionLost);
    }
  };

  const show = (found: readonly Found[], text: string) => {
    list.replaceChildren(...found.map(({ kind, name, path }) => {
      const link = Object.assign(document.createElement("a"), { href: path, textContent: name });
      const what = Object.assign(document.createElement("span"), {
        className: "quiet",
        textContent: texts.kinds[kind],
      });
      const item = document.createElement("li");
      item.append(link, " ", what);
      return item;
    }));
    state.textContent = text;
  };

  input.addEventListener("input", () => void find());
  form.addEventListener("submit", (event) => {
    // Enter goes to the first; where there is none, to the page.
    const [first] = links();
    if (first === undefined) return;
    event.preventDefault();
    first.click();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      // The browser would only empty the field.
      event.preventDefault();
      dialog.close();
      // Where nothing was focused before, it would have the next keys, though nobody sees it.
      if (dialog.contains(document.activeElement)) input.blur();
      return;
    }
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const places: HTMLElement[] = [input, ...links()];
    const at = places.findIndex((place) => place === document.activeElement);
    places[(at + step + places.length) % places.length].focus();
  });
  return () => {
    if (dialog.open) return;
    for (const other of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) other.close();
    dialog.showModal();
    input.select();
    void find();
  };
}
