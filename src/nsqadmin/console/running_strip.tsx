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
export function RunningStrip(
  { request: { admin, paths, texts } }: { readonly request: PageRequest },
): Markup {
  const redrives = admin.redrives.running.length;
  const links = [
    ...redrives === 0 ? [] : [[paths.redrives, texts.layout.redrives(redrives)]],
    ...admin.bulk.running.map((go) => [paths.bulkGo(go.id), goText(texts, go)]),
  ];
  if (links.length === 0) return NOTHING;
  return (
    <p class="quiet">
      {texts.layout.underWay(links.map(([path, text], i) => (
        <>
          {i > 0 && ", "}
          <a href={path}>{text}</a>
        </>
      )))}
    </p>
  );
}
