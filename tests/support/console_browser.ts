/**
 * Pages of an nsqadmin in Chromium: looking at them by axe-core's rules, and using them by keys.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { axeSource } from "./axe.ts";
import type { ChromiumTab, Key } from "./chromium.ts";

/** A poller that is soon there again. */
export const LIVE = { pollIntervalMs: 200, history: true };

/** On a phone and on a screen, in light and dark. */
const LOOKS = [390, 1280].flatMap((width) =>
  (["light", "dark"] as const).map((scheme) => ({ width, scheme }))
);
/** With fewer, something hinders it from looking. */
const RULES_MIN = 10;
/** Elements that Tab goes through until it is clear that there is none like that. */
const TABS_MAX = 300;

/** What is focused, by what it says, or its name; of what is ticked, its value. */
const FOCUSED = `{
  const { tagName, type, name, value, textContent } = document.activeElement;
  ["A", "BUTTON", "SUMMARY"].includes(tagName) ? textContent.trim() : ["checkbox", "radio"].includes(type) ? value : name ?? "";
}`;

/** What somebody does with a page. */
export type Step =
  /** Goes by Tab to the button or link that says this, and hits Enter: it leads to another page. */
  | string
  /** Goes by Tab to the field of that name, and writes. */
  | { readonly at: string; readonly write: string }
  /** Goes by Tab to what is called like that, and hits a key. */
  | { readonly at: string; readonly hit: Key }
  /** Something that happens elsewhere meanwhile. */
  | (() => Promise<unknown>);

/** Looks at a page in all looks: what axe-core finds, and whether it is wider than the window. */
export async function assertAccessible(tab: ChromiumTab, name: string): Promise<void> {
  await tab.evaluate(`${await axe()};0`);
  for (const look of LOOKS) {
    await tab.look(look);
    const found = await tab.evaluate(
      `axe.run().then(({ violations, passes }) => passes.length < ${RULES_MIN} ? "few rules were looked at" : violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))`,
    );
    const isTooWide = await tab.evaluate(`document.documentElement.scrollWidth > innerWidth`);
    assertEquals({ name, ...look, found, isTooWide }, { name, ...look, found: [], isTooWide: false });
  }
}

let source: Promise<string> | undefined;

function axe(): Promise<string> {
  return source ??= axeSource();
}

/** Sends a form, and waits for the page that it leads to. */
export async function submit(tab: ChromiumTab, path: string, fields: string): Promise<void> {
  await tab.leave(() =>
    tab.evaluate(`{
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: ${JSON.stringify(path)} });
      for (const [name, value] of new URLSearchParams(${JSON.stringify(fields)})) {
        form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      }
      document.body.append(form);
      HTMLFormElement.prototype.submit.call(form);
    }`)
  );
}

/** Uses the page by the keyboard alone. */
export async function useKeys(tab: ChromiumTab, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (typeof step === "function") await step();
    else if (typeof step === "string") {
      await tabTo(tab, step);
      await tab.leave(() => tab.hit("Enter"));
    } else {
      await tabTo(tab, step.at);
      if ("write" in step) await tab.write(step.write);
      else await tab.hit(step.hit);
    }
  }
}

async function tabTo(tab: ChromiumTab, wanted: string): Promise<void> {
  let focused = await tab.evaluate(FOCUSED);
  let hasSkipped = false;
  const passed = new Set<unknown>();
  for (let tabs = 0; focused !== wanted; tabs++) {
    passed.add(focused);
    assert(tabs < TABS_MAX, `Tab does not lead to ${wanted}, but to ${[...passed].join(", ")}`);
    await tab.hit("Tab");
    focused = await tab.evaluate(FOCUSED);
    if (focused === "Skip to content" && !hasSkipped) {
      await tab.hit("Enter");
      hasSkipped = true;
    }
  }
}
