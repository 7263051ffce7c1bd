/**
 * How somebody wants to see the pages, what he may do, and with what options this nsqadmin runs.
 *
 * @module
 */

import type { Option } from "../../config/option.ts";
import { allows, type Right } from "../access.ts";
import { isOfConfigNetwork } from "../api/config.ts";
import { NSQADMIN_OPTIONS } from "../options.ts";
import { type FormAnswer, formText, pairsOf } from "./change_pages.tsx";
import { CHANNEL_TABLE } from "./channels.tsx";
import { CONSUMER_TABLE } from "./consumers.tsx";
import { Layout } from "./layout.tsx";
import { type Markup, NOTHING } from "./markup.ts";
import { NODE_TABLE } from "./nodes.tsx";
import { TOPIC_TABLE } from "./overview.tsx";
import { Table } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { settingsCookie, settingsFrom, type Theme, THEMES, USUAL_SETTINGS } from "./settings.ts";

/** Tables whose columns can be left out. */
const TABLES: readonly {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly { readonly name: string; readonly head: string }[];
}[] = [
  { name: "topics", title: "Columns of topics", columns: TOPIC_TABLE },
  { name: "channels", title: "Columns of channels", columns: CHANNEL_TABLE },
  { name: "consumers", title: "Columns of consumers", columns: CONSUMER_TABLE },
  { name: "nodes", title: "Columns of nodes", columns: NODE_TABLE },
];

const THEME_WORDS: Readonly<Record<Theme, string>> = {
  system: "as the system",
  light: "light",
  dark: "dark",
};

/** Rights in words. */
const RIGHT_WORDS: Readonly<Record<Exclude<Right, "change">, string>> = {
  create: "create topics and channels",
  pause: "pause topics and channels, and let them go on",
  publish: "publish messages",
  requeue: "have messages delivered at once",
  forget: "forget nodes that are gone",
  peek: "read what messages say",
  empty: "empty topics and channels",
  delete: "delete topics, channels and messages",
  tombstone: "take a topic off a node",
  drain: "drain nodes",
  kick: "cut consumers off",
  redrive: "publish messages of one topic to another again",
  config: "see and change options",
};

/** `GET /settings` */
export function settingsPage(request: PageRequest): Promise<Markup> {
  return Promise.resolve(
    <Layout request={request} title="Settings">
      <h1>Settings</h1>
      <Wishes request={request} />
      <Rights request={request} />
      <Flags request={request} />
    </Layout>,
  );
}

/** `POST /settings` */
export async function submitSettings(request: PageRequest): Promise<FormAnswer> {
  const { context, admin, paths } = request;
  const pairs = pairsOf(await formText(context));
  const settings = settingsFrom(pairs);
  const shown = new Set(pairs.flatMap(([name, value]) => name === "show" ? value : []));
  const all = TABLES.flatMap(({ name: table, columns }) => columns.map(({ name }) => `${table}.${name}`));
  const isUsual = pairs.some(([name, value]) => name === "action" && value === "usual");
  const hidden = new Set(all.filter((name) => !shown.has(name)));
  const wanted = isUsual ? USUAL_SETTINGS : { ...settings, hidden };
  return {
    location: `${paths.settings}?done=settings`,
    headers: [settingsCookie(wanted, admin.options.basePath)],
  };
}

function Wishes({ request }: { readonly request: PageRequest }): Markup {
  const { theme, isLive, hidden } = request.settings;
  return (
    <form method="post" action={request.paths.settings} class="settings">
      <p class="quiet">They are of this browser, in a cookie.</p>
      <fieldset>
        <legend>Colours</legend>
        {THEMES.map((each) => (
          <label>
            <input type="radio" name="theme" value={each} checked={each === theme} /> {THEME_WORDS[each]}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>Numbers</legend>
        <label>
          <input type="radio" name="live" value="on" checked={isLive} /> kept up to date, where scripts run
        </label>
        <label>
          <input type="radio" name="live" value="off" checked={!isLive} /> as of when a page was loaded
        </label>
      </fieldset>
      {TABLES.map(({ name: table, title, columns }) => (
        <fieldset>
          <legend>{title}</legend>
          {columns.map(({ name, head }) => (
            <label>
              <input
                type="checkbox"
                name="show"
                value={`${table}.${name}`}
                checked={!hidden.has(`${table}.${name}`)}
              />{" "}
              {head}
            </label>
          ))}
        </fieldset>
      ))}
      <div class="actions">
        <button type="submit" name="action" value="keep" class="plain">Keep</button>
        <button type="submit" name="action" value="usual" class="plain">As usual</button>
      </div>
    </form>
  );
}

function Rights({ request: { admin, user, roles } }: { readonly request: PageRequest }): Markup {
  const rights = Object.entries(RIGHT_WORDS) as [Right, string][];
  const isOpen = admin.logins === undefined && admin.options.adminUsers.length === 0;
  return (
    <section>
      <h2>What you may do</h2>
      <p>
        {user === undefined ? "Nobody says who you are." : <>You are {user}.</>} Your role:{" "}
        {roles.join(", ")}.
        {isOpen &&
          " Whoever reaches this nsqadmin may do everything: there is no --admin-user, and nobody has to log in."}
      </p>
      <Table caption="Rights">
        <thead>
          <tr>
            <th scope="col" class="name">To do</th>
            <th scope="col">You</th>
          </tr>
        </thead>
        <tbody>
          {rights.map(([right, words]) => (
            <tr>
              <th scope="row" class="name">{words}</th>
              <td>{allows(roles, right) ? "may" : "may not"}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </section>
  );
}

/** The options, for those who may see them by /config as well. */
function Flags({ request }: { readonly request: PageRequest }): Markup {
  const { admin, context, may } = request;
  if (!may("config")) return NOTHING;
  if (!isOfConfigNetwork(admin, context)) {
    return (
      <section>
        <h2>Options</h2>
        <p>They are shown to clients in the network of --allow-config-from-cidr only.</p>
      </section>
    );
  }
  const options = Object.entries<Option<unknown>>(NSQADMIN_OPTIONS)
    .filter(([name]) => name !== "version")
    .map((
      [name, { flag, kind }],
    ) => [flag, kind.show((admin.options as Readonly<Record<string, unknown>>)[name])]);
  return (
    <section>
      <h2>Options</h2>
      <Table caption="Options of this nsqadmin, as they are now">
        <thead>
          <tr>
            <th scope="col" class="name">Flag</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {options.map(([flag, value]) => (
            <tr>
              <th scope="row" class="name">
                <code>--{flag}</code>
              </th>
              <td class="name">
                <code>{value}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
    </section>
  );
}
