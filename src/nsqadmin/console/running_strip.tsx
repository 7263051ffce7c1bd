/**
 * What goes on behind the pages, at their top: redrives, and changes of many. Nothing where there is none. How far each is stands
 * on its own page.
 *
 * @module
 */

import { goText } from "./bulk_form.tsx";
import { type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";

/** See above. */
export function RunningStrip({ request: { admin, paths } }: { readonly request: PageRequest }): Markup {
  const redrives = admin.redrives.running.length;
  const links = [
    ...redrives === 0 ? [] : [[paths.redrives, redrives === 1 ? "One redrive" : `${redrives} redrives`]],
    ...admin.bulk.running.map((go) => [paths.bulkGo(go.id), goText(go)]),
  ];
  if (links.length === 0) return NOTHING;
  return (
    <p class="quiet">
      Under way: {links.map(([path, text], i) => (
        <>
          {i > 0 && ", "}
          <a href={path}>{text}</a>
        </>
      ))}
    </p>
  );
}
