/**
 * What a page knows of the request that it answers, and where pages are.
 *
 * @module
 */

import type { RequestContext } from "../../http/request_context.ts";
import { parseQuery } from "../../http/query.ts";
import { HttpError } from "../../http/http_error.ts";
import { allows, type Right, type Role, rolesOf, userOf } from "../access.ts";
import type { AdminContext } from "../context.ts";
import { UPDATE_HEADER } from "../login/logins.ts";
import { type Settings, settingsOf } from "./settings.ts";
import { ENGLISH } from "./texts/english.tsx";
import type { Texts } from "./texts/texts.ts";

/** A request for a page. */
export interface PageRequest {
  readonly admin: AdminContext;
  readonly context: RequestContext;
  /** Parameters of the query. */
  readonly query: ReadonlyMap<string, string>;
  /** Whether whoever asks may do that. */
  readonly may: (right: Right) => boolean;
  readonly user: string | undefined;
  readonly roles: readonly Role[];
  /** The page brings itself up to date (browser/console.ts). */
  readonly isUpdate: boolean;
  readonly paths: Paths;
  readonly settings: Settings;
  /** What the page says, in the language of whoever asks. */
  readonly texts: Texts;
}

/** Reads a request. @throws {HttpError} 400 if its query is none. */
export function pageRequest(admin: AdminContext, context: RequestContext): PageRequest {
  return { ...refusedRequest(admin, context), query: queryOf(context.rawQuery) };
}

/** Reads a request that is refused, because of its query or of something else. */
export function refusedRequest(admin: AdminContext, context: RequestContext): PageRequest {
  const { options } = admin;
  // Asked for each button.
  const roles = rolesOf(admin, context);
  return {
    admin,
    context,
    query: new Map(),
    may: (right) => allows(roles, right),
    user: userOf(admin, context),
    roles,
    isUpdate: context.request.headers.get(UPDATE_HEADER) !== undefined,
    paths: new Paths(options.basePath),
    settings: settingsOf(context),
    texts: admin.texts ?? ENGLISH,
  };
}

/** The parameters of a query, or of a form's body. @throws {HttpError} 400 */
export function queryOf(text: string): ReadonlyMap<string, string> {
  try {
    return parseQuery(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, cause.message, { cause });
  }
}

/** Paths of pages, below the base path, whatever names are in them. */
export class Paths {
  readonly #base: string;

  constructor(basePath: string) {
    this.#base = basePath === "/" ? "" : basePath;
  }

  get overview(): string {
    return `${this.#base}/`;
  }

  get topics(): string {
    return `${this.#base}/topics`;
  }

  /** All of the cluster. */
  get channels(): string {
    return `${this.#base}/channels`;
  }

  get consumers(): string {
    return `${this.#base}/consumers`;
  }

  get nodes(): string {
    return `${this.#base}/nodes`;
  }

  get counter(): string {
    return `${this.#base}/counter`;
  }

  get events(): string {
    return `${this.#base}/events`;
  }

  get alerts(): string {
    return `${this.#base}/alerts`;
  }

  /** The same as JSON. */
  get alertsApi(): string {
    return `${this.#base}/api/alerts`;
  }

  get activity(): string {
    return `${this.#base}/activity`;
  }

  /** The same as JSON. */
  get activityApi(): string {
    return `${this.#base}/api/activity`;
  }

  get cluster(): string {
    return `${this.#base}/cluster`;
  }

  get settings(): string {
    return `${this.#base}/settings`;
  }

  get search(): string {
    return `${this.#base}/search`;
  }

  /** Changes of many at once. */
  get bulk(): string {
    return `${this.#base}/bulk`;
  }

  /** One of them. */
  bulkGo(id: string): string {
    return `${this.bulk}/${id}`;
  }

  /** Of a topic. */
  tap(topic: string): string {
    return `${this.#base}/tap/${encodeURIComponent(topic)}`;
  }

  tapEvents(topic: string): string {
    return `${this.tap(topic)}/events`;
  }

  get redrives(): string {
    return `${this.#base}/redrives`;
  }

  /** Of graphite, by this nsqadmin. */
  render(query: string): string {
    return `${this.#base}/render?${query}`;
  }

  get login(): string {
    return `${this.#base}/login`;
  }

  get logout(): string {
    return `${this.#base}/logout`;
  }

  get lookup(): string {
    return `${this.#base}/lookup`;
  }

  topic(topic: string): string {
    return `${this.topics}/${encodeURIComponent(topic)}`;
  }

  channel(topic: string, channel: string): string {
    return `${this.topic(topic)}/${encodeURIComponent(channel)}`;
  }

  /** Of a channel. */
  messages(topic: string, channel: string): string {
    return `${this.channel(topic, channel)}/messages`;
  }

  /** Of a channel, as a node has it. */
  message(
    topic: string,
    channel: string,
    { id, node }: { readonly id: string; readonly node: string },
  ): string {
    return `${this.messages(topic, channel)}/${encodeURIComponent(id)}?node=${encodeURIComponent(node)}`;
  }

  node(address: string): string {
    return `${this.nodes}/${encodeURIComponent(address)}`;
  }

  file(name: string): string {
    return `${this.#base}/static/${name}`;
  }
}

/** A query with some of the parameters changed; an empty value leaves a parameter out. */
export function queryWith(
  query: ReadonlyMap<string, string>,
  changes: Readonly<Record<string, string>>,
): string {
  const parameters = new URLSearchParams([...query]);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") parameters.delete(name);
    else parameters.set(name, value);
  }
  return `?${parameters}`;
}
