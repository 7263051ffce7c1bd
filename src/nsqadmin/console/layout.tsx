/**
 * What is around every page.
 *
 * @module
 */

import { DENOSQ_VERSION, NSQ_VERSION } from "../../base/version.ts";
import { AlertStrip } from "./alert_strip.tsx";
import { type Content, type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";
import { RunningStrip } from "./running_strip.tsx";

/** A whole page. */
export function Layout(
  { request, title, live = false, children }: {
    readonly request: PageRequest;
    readonly title: string;
    /** It is made of what the poller knows, and stays up to date where scripts run. */
    readonly live?: boolean;
    readonly children?: Content;
  },
): Markup {
  const { admin, paths, user, settings, texts } = request;
  const here = request.context.rawPath;
  const isStranger = admin.logins !== undefined && user === undefined;
  return (
    <html
      lang={texts.language}
      data-theme={settings.theme === "system" ? undefined : settings.theme}
      data-events={live ? paths.events : undefined}
      data-live={settings.isLive ? undefined : "off"}
    >
      <head>
        <meta charset="utf-8" />
        <title>{title} · nsqadmin</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href={paths.file("favicon.svg")} />
        <link rel="stylesheet" href={paths.file("console.css")} />
        <script type="module" src={paths.file("console.js")}></script>
      </head>
      <body data-texts={JSON.stringify(texts.script)}>
        <a class="skip" href="#main">{texts.layout.skip}</a>
        <header>
          <a class="brand" href={paths.overview}>nsqadmin</a>
          {!isStranger && (
            <nav aria-label={texts.layout.menu}>
              <ul>
                {pageLinks(request).map(({ name, path, key }) => (
                  <li>
                    <a href={path} data-key={key} aria-current={path === here ? "page" : undefined}>{name}</a>
                  </li>
                ))}
              </ul>
            </nav>
          )}
          <User request={request} />
        </header>
        <main id="main">
          {live && <AlertStrip request={request} />}
          {!isStranger && <RunningStrip request={request} />}
          <Done request={request} />
          {children}
        </main>
        <footer>
          <p>denosq v{DENOSQ_VERSION} (NSQ v{NSQ_VERSION})</p>
        </footer>
        {!isStranger && <Palette request={request} />}
        <Keys request={request} />
      </body>
    </html>
  );
}

/** Who looks at the page, and may end that. */
function User(
  { request: { admin, context, paths, user, roles, may, texts: { layout } } }: {
    readonly request: PageRequest;
  },
): Markup {
  if (admin.logins === undefined) return <p class="user">{user} {!may("change") && layout.mayLookOnly}</p>;
  if (user === undefined) return NOTHING;
  return (
    <div class="user">
      {user} ({roles.join(", ")}){" "}
      {admin.logins.hasSession(context) && (
        <form method="post" action={paths.logout}>
          <button type="submit" class="plain">{layout.logOut}</button>
        </form>
      )}
    </div>
  );
}

/** The pages that every page leads to, each with the key that goes there after `g`. */
export function pageLinks(
  { paths, texts: { pages } }: PageRequest,
): readonly { readonly name: string; readonly path: string; readonly key: string }[] {
  return [
    { name: pages.topics, path: paths.overview, key: "t" },
    { name: pages.channels, path: paths.channels, key: "h" },
    { name: pages.consumers, path: paths.consumers, key: "s" },
    { name: pages.nodes, path: paths.nodes, key: "n" },
    { name: pages.counter, path: paths.counter, key: "c" },
    { name: pages.cluster, path: paths.cluster, key: "u" },
    { name: pages.lookup, path: paths.lookup, key: "l" },
    { name: pages.alerts, path: paths.alerts, key: "a" },
    { name: pages.activity, path: paths.activity, key: "v" },
    { name: pages.search, path: paths.search, key: "f" },
    { name: pages.settings, path: paths.settings, key: "o" },
  ];
}

/** Of a node, and so that nobody can be told just anything by a link. */
const ADDRESS = /^[\w.:[\]%-]{1,300}$/;

/** What was done just before, and on which node, if it was one. */
function Done({ request: { query, texts: { done } } }: { readonly request: PageRequest }): Markup {
  const [kind = "", on = ""] = [query.get("done"), query.get("on")];
  const kinds: Readonly<Record<string, string>> = done.kinds;
  if (!Object.hasOwn(kinds, kind)) return NOTHING;
  return (
    <p class="done" role="status">
      {ADDRESS.test(on) ? done.onNode(<code>{on}</code>, kinds[kind]) : kinds[kind]}
    </p>
  );
}

/** The form of the search, which the script shows, with what it finds. */
function Palette({ request: { paths, texts } }: { readonly request: PageRequest }): Markup {
  return (
    <dialog id="palette" aria-label={texts.pages.search}>
      <form method="get" action={paths.search} role="search">
        <label>
          {texts.search.label} <input type="search" name="q" autocomplete="off" />
        </label>
      </form>
      <p role="status" class="quiet"></p>
      <ul></ul>
    </dialog>
  );
}

/** Keys of the script, which shows it. */
function Keys({ request }: { readonly request: PageRequest }): Markup {
  const { keys } = request.texts;
  const goes = pageLinks(request).map(({ name, key }) => [keys.going(key), keys.to(name)]);
  return (
    <dialog id="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">{keys.title}</h2>
      <dl>
        {[...keys.list, ...goes].map(([key, meaning]) => (
          <div>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" class="plain">{keys.close}</button>
      </form>
    </dialog>
  );
}
