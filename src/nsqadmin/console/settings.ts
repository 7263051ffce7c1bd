/**
 * How somebody wants to see the pages: in a cookie of the browser, so that they come as they are wanted, with and without
 * scripts. Of what it says only what is known counts.
 *
 * @module
 */

import type { Header } from "../../http/answer.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { queryPairs } from "../../http/query.ts";

/** Colours: the system's, or always these. */
export const THEMES = ["system", "light", "dark"] as const;

/** One of these. */
export type Theme = typeof THEMES[number];

/** See above. */
export interface Settings {
  readonly theme: Theme;
  /** Pages bring themselves up to date, where scripts run. */
  readonly isLive: boolean;
  /** Columns that are left out, as `topics.requeued`. */
  readonly hidden: ReadonlySet<string>;
}

/** Of who has none. */
export const USUAL_SETTINGS: Settings = { theme: "system", isLive: true, hidden: new Set() };
/** The longest cookie that is looked at, in characters. */
export const SETTINGS_LENGTH_MAX = 2000;

const COOKIE = /(?:^|;) *nsqadmin_settings=([^;]*)/;
const YEAR_S = 365 * 24 * 3600;

/** What the browser's cookie says. */
export function settingsOf({ request }: RequestContext): Settings {
  const [, text = ""] = COOKIE.exec(request.headers.get("cookie") ?? "") ?? [];
  if (text === "" || text.length > SETTINGS_LENGTH_MAX) return USUAL_SETTINGS;
  try {
    return settingsFrom([...queryPairs(text.trim())]);
  } catch (error) {
    // Somebody else's, or nonsense.
    if (!(error instanceof SyntaxError)) throw error;
    return USUAL_SETTINGS;
  }
}

/** The cookie. */
export function settingsCookie({ theme, isLive, hidden }: Settings, basePath: string): Header {
  const pairs = [
    ["theme", theme],
    ["live", isLive ? "on" : "off"],
    ...Array.from(hidden, (name) => ["hide", name]),
  ];
  const attributes = `Path=${basePath}; Max-Age=${YEAR_S}; HttpOnly; SameSite=Lax`;
  return ["Set-Cookie", `nsqadmin_settings=${new URLSearchParams(pairs)}; ${attributes}`];
}

/** Reads them from pairs of names and values; what is none of what there is, is as usual. */
export function settingsFrom(pairs: readonly (readonly [name: string, value: string])[]): Settings {
  const texts = new Map(pairs);
  return {
    theme: THEMES.find((theme) => theme === texts.get("theme")) ?? USUAL_SETTINGS.theme,
    isLive: texts.get("live") !== "off",
    hidden: new Set(pairs.flatMap(([name, value]) => name === "hide" ? value : [])),
  };
}
