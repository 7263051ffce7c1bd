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
  const { admin, paths, user, settings } = request;
  const here = request.context.rawPath;
  const isStranger = admin.logins !== undefined && user === undefined;
  return (
    <html
      lang="en"
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
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header>
          <a class="brand" href={paths.overview}>nsqadmin</a>
          {!isStranger && (
            <nav aria-label="Main">
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
          <Done kind={request.query.get("done")} on={request.query.get("on")} />
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
  { request: { admin, context, paths, user, roles, may } }: { readonly request: PageRequest },
): Markup {
  if (admin.logins === undefined) return <p class="user">{user} {!may("change") && "(may look only)"}</p>;
  if (user === undefined) return NOTHING;
  return (
    <div class="user">
      {user} ({roles.join(", ")}){" "}
      {admin.logins.hasSession(context) && (
        <form method="post" action={paths.logout}>
          <button type="submit" class="plain">Log out</button>
        </form>
      )}
    </div>
  );
}

/** The pages that every page leads to, each with the key that goes there after `g`. */
export function pageLinks(
  { paths }: PageRequest,
): readonly { readonly name: string; readonly path: string; readonly key: string }[] {
  return [
    { name: "Topics", path: paths.overview, key: "t" },
    { name: "Channels", path: paths.channels, key: "h" },
    { name: "Consumers", path: paths.consumers, key: "s" },
    { name: "Nodes", path: paths.nodes, key: "n" },
    { name: "Counter", path: paths.counter, key: "c" },
    { name: "Cluster", path: paths.cluster, key: "u" },
    { name: "Lookup", path: paths.lookup, key: "l" },
    { name: "Alerts", path: paths.alerts, key: "a" },
    { name: "Activity", path: paths.activity, key: "v" },
    { name: "Search", path: paths.search, key: "f" },
    { name: "Settings", path: paths.settings, key: "o" },
  ];
}

const DONE: Readonly<Record<string, string>> = {
  create: "It is created.",
  delete: "It is deleted.",
  pause: "It is paused.",
  unpause: "It goes on.",
  empty: "It is emptied.",
  publish: "The message is published.",
  tombstone: "It is taken off the node.",
  drain: "It is drained: it ends when consumers have finished what it has.",
  forget: "It is forgotten.",
  "requeue-message": "The message is the next to be delivered.",
  "delete-message": "The message is deleted.",
  "cancel-message": "The message is canceled.",
  kick: "It is cut off.",
  redrive: "It has begun.",
  "cancel-redrive": "It ends.",
  settings: "The pages are as you want them, in this browser.",
};

/** Of a node, and so that nobody can be told just anything by a link. */
const ADDRESS = /^[\w.:[\]%-]{1,300}$/;

/** What was done just before, and on which node, if it was one. */
function Done(
  { kind = "", on = "" }: { readonly kind: string | undefined; readonly on: string | undefined },
): Markup {
  if (!Object.hasOwn(DONE, kind)) return NOTHING;
  return (
    <p class="done" role="status">
      {ADDRESS.test(on) && (
        <>
          Node <code>{on}</code>:{" "}
        </>
      )}
      {DONE[kind]}
    </p>
  );
}

const KEYS = [
  ["/", "filter"],
  ["Ctrl+K", "search topics, channels, nodes and pages; arrows and Enter choose"],
  ["j, k", "to the next row, and back"],
  ["Enter", "open the row"],
  ["x", "tick the row, or no more"],
  ["p", "pause, or go on with, what the page is about, or the rows that are ticked: asks first"],
  ["Esc", "close this, or leave the field"],
  ["?", "this list"],
] as const;

/** The form of the search, which the script shows, with what it finds. */
function Palette({ request }: { readonly request: PageRequest }): Markup {
  return (
    <dialog id="palette" aria-label="Search">
      <form method="get" action={request.paths.search} role="search">
        <label>
          Topics, channels, nodes, pages <input type="search" name="q" autocomplete="off" />
        </label>
      </form>
      <p role="status" class="quiet"></p>
      <ul></ul>
    </dialog>
  );
}

/** Keys of the script, which shows it. */
function Keys({ request }: { readonly request: PageRequest }): Markup {
  const goes = pageLinks(request).map(({ name, key }) => [`g, then ${key}`, `to ${name}`] as const);
  return (
    <dialog id="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        {[...KEYS, ...goes].map(([key, meaning]) => (
          <div>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" class="plain">Close</button>
      </form>
    </dialog>
  );
}
