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
import { settingsCookie, settingsFrom, THEMES, USUAL_SETTINGS } from "./settings.ts";
import type { Texts } from "./texts/texts.ts";

/** Tables whose columns can be left out. */
const TABLES: readonly {
  readonly name: keyof Texts["settings"]["columns"];
  readonly columns: readonly { readonly name: string; readonly head: keyof Texts["columns"] }[];
}[] = [
  { name: "topics", columns: TOPIC_TABLE },
  { name: "channels", columns: CHANNEL_TABLE },
  { name: "consumers", columns: CONSUMER_TABLE },
  { name: "nodes", columns: NODE_TABLE },
];

/** Rights that are named; `change` is to have any of them. */
type NamedRight = Exclude<Right, "change">;

/** `GET /settings` */
export function settingsPage(request: PageRequest): Promise<Markup> {
  return Promise.resolve(
    <Layout request={request} title={request.texts.pages.settings}>
      <h1>{request.texts.pages.settings}</h1>
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
  const { settings: { theme, isLive, hidden }, texts: { settings, columns: heads } } = request;
  return (
    <form method="post" action={request.paths.settings} class="settings">
      <p class="quiet">{settings.about}</p>
      <fieldset>
        <legend>{settings.colours}</legend>
        {THEMES.map((each) => (
          <label>
            <input type="radio" name="theme" value={each} checked={each === theme} /> {settings.themes[each]}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>{settings.numbers}</legend>
        <label>
          <input type="radio" name="live" value="on" checked={isLive} /> {settings.live}
        </label>
        <label>
          <input type="radio" name="live" value="off" checked={!isLive} /> {settings.asLoaded}
        </label>
      </fieldset>
      {TABLES.map(({ name: table, columns }) => (
        <fieldset>
          <legend>{settings.columns[table]}</legend>
          {columns.map(({ name, head }) => (
            <label>
              <input
                type="checkbox"
                name="show"
                value={`${table}.${name}`}
                checked={!hidden.has(`${table}.${name}`)}
              />{" "}
              {heads[head]}
            </label>
          ))}
        </fieldset>
      ))}
      <div class="actions">
        <button type="submit" name="action" value="keep" class="plain">{settings.keep}</button>
        <button type="submit" name="action" value="usual" class="plain">{settings.usual}</button>
      </div>
    </form>
  );
}

function Rights(
  { request: { admin, user, roles, texts: { settings, columns } } }: { readonly request: PageRequest },
): Markup {
  const named: Readonly<Record<NamedRight, string>> = settings.right;
  const rights = Object.entries(named) as [NamedRight, string][];
  const isOpen = admin.logins === undefined && admin.options.adminUsers.length === 0;
  return (
    <section>
      <h2>{settings.rights}</h2>
      <p>
        {user === undefined ? settings.unknownUser : settings.user(user)} {settings.roles(roles.join(", "))}
        {isOpen && ` ${settings.open}`}
      </p>
      <Table caption={settings.rightsCaption}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.toDo}</th>
            <th scope="col">{columns.you}</th>
          </tr>
        </thead>
        <tbody>
          {rights.map(([right, words]) => (
            <tr>
              <th scope="row" class="name">{words}</th>
              <td>{allows(roles, right) ? settings.may : settings.mayNot}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </section>
  );
}

/** The options, for those who may see them by /config as well. */
function Flags({ request }: { readonly request: PageRequest }): Markup {
  const { admin, context, may, texts: { settings, columns } } = request;
  if (!may("config")) return NOTHING;
  if (!isOfConfigNetwork(admin, context)) {
    return (
      <section>
        <h2>{settings.options}</h2>
        <p>{settings.optionsForNetwork}</p>
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
      <h2>{settings.options}</h2>
      <Table caption={settings.optionsCaption}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.flag}</th>
            <th scope="col">{columns.value}</th>
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
