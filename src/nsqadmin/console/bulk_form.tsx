/**
 * What a table has whose rows can be changed many at once: a box to tick in each row, and a form that asks about those that
 * are ticked, or about all that the filter lets through.
 *
 * @module
 */

import type { Target } from "../../cluster/cluster_actions.ts";
import { rightFor } from "../changes.ts";
import { BULK_ACTIONS, type BulkAction, type BulkGo } from "../bulk.ts";
import { type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";

/** Tables that have it: what its rows are. */
export type BulkTable = "topics" | "channels";

/** What the buttons say. */
export const BULK_WORDS: Readonly<Record<BulkAction, string>> = {
  pause: "Pause",
  unpause: "Unpause",
  empty: "Empty",
  delete: "Delete",
};

const FORM = "bulk";
const ONE: Readonly<Record<BulkTable, string>> = { topics: "topic", channels: "channel" };

/** The actions that whoever asks may take. */
function actionsOf({ may }: PageRequest): readonly BulkAction[] {
  return BULK_ACTIONS.filter((kind) => may("change") && may(rightFor({ kind })));
}

/** What a go is about. */
export function tableOf({ items: [{ target }] }: BulkGo): BulkTable {
  return target.channel === "" ? "topics" : "channels";
}

/** What it does. */
export function goText(go: BulkGo): string {
  return `${BULK_WORDS[go.action]} ${countText(tableOf(go), go.items.length)}`;
}

/** So many of them. */
export function countText(table: BulkTable, count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? ONE[table] : table}`;
}

/** What stands for it in a form: no name has a slash in it. */
export function targetText({ topic, channel }: Target): string {
  return channel === "" ? topic : `${topic}/${channel}`;
}

/** A box to tick; nothing for who may do nothing with it. */
export function Tick(
  { request, target }: { readonly request: PageRequest; readonly target: Target },
): Markup {
  if (actionsOf(request).length === 0) return NOTHING;
  const text = targetText(target);
  return (
    <>
      <input type="checkbox" form={FORM} name="name" value={text} aria-label={`Tick ${text}`} />
      {" "}
    </>
  );
}

/** The form; nothing for who may do none of it. */
export function BulkForm(
  { request, table }: { readonly request: PageRequest; readonly table: BulkTable },
): Markup {
  const actions = actionsOf(request);
  if (actions.length === 0) return NOTHING;
  return (
    <form id={FORM} method="post" action={request.paths.bulk} class="controls" aria-label="Many at once">
      <input type="hidden" name="of" value={table} />
      {["filter", "sort"].map((name) => (
        <input type="hidden" name={name} value={request.query.get(name) ?? ""} />
      ))}
      <label>
        Do with{" "}
        <select name="which">
          <option value="ticked">those that are ticked</option>
          <option value="found">all that the filter lets through</option>
        </select>
      </label>
      {actions.map((action) => (
        <button
          type="submit"
          name="action"
          value={`ask-${action}`}
          data-key={action === "pause" ? "p" : undefined}
          class={action === "empty" || action === "delete" ? "danger" : "plain"}
        >
          {BULK_WORDS[action]}…
        </button>
      ))}
    </form>
  );
}
