/**
 * What is around every page.
 *
 * @module
 */

import { DENOSQ_VERSION, NSQ_VERSION } from "../../base/version.ts";
import { type Content, type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";

/** A whole page. */
export function Layout(
  { request, title, children }: {
    readonly request: PageRequest;
    readonly title: string;
    readonly children?: Content;
  },
): Markup {
  const { paths, user, mayChange } = request;
  const links = [["Topics", paths.overview], ["Nodes", paths.nodes], ["Counter", paths.counter], [
    "Lookup",
    paths.lookup,
  ]];
  const here = request.context.rawPath;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{title} · nsqadmin</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href={paths.file("favicon.svg")} />
        <link rel="stylesheet" href={paths.file("console.css")} />
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header>
          <a class="brand" href={paths.overview}>nsqadmin</a>
          <nav aria-label="Main">
            <ul>
              {links.map(([name, path]) => (
                <li>
                  <a href={path} aria-current={path === here ? "page" : undefined}>{name}</a>
                </li>
              ))}
            </ul>
          </nav>
          <p class="user">{user} {!mayChange && "(may look only)"}</p>
        </header>
        <main id="main">
          <Done kind={request.query.get("done")} />
          {children}
        </main>
        <footer>
          <p>denosq v{DENOSQ_VERSION} (NSQ v{NSQ_VERSION})</p>
        </footer>
      </body>
    </html>
  );
}

const DONE: Readonly<Record<string, string>> = {
  create: "It is created.",
  delete: "It is deleted.",
  pause: "It is paused.",
  unpause: "It goes on.",
  empty: "It is emptied.",
  tombstone: "It is taken off the node.",
};

/** What was done just before. */
function Done({ kind = "" }: { readonly kind: string | undefined }): Markup {
  return Object.hasOwn(DONE, kind) ? <p class="done" role="status">{DONE[kind]}</p> : NOTHING;
}
