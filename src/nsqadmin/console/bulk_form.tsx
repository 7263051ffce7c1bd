/**
 * What a table has whose rows can be changed many at once: a box to tick in each row, and a form that asks about those that
 * are ticked, or about all that the filter lets through.
 *
 * @module
 */

import type { Target } from "../../cluster/cluster_actions.ts";
import { rightFor } from "../changes.ts";
import type { BulkGo } from "../bulk.ts";
import { BULK_ACTIONS, type BulkAction } from "../bulk_words.ts";
import { type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

/** Tables that have it: what its rows are. */
export type BulkTable = "topics" | "channels";

const FORM = "bulk";

/** The actions that whoever asks may take. */
function actionsOf({ may }: PageRequest): readonly BulkAction[] {
  return BULK_ACTIONS.filter((kind) => may("change") && may(rightFor({ kind })));
}

/** What a go is about. */
export function tableOf({ items: [{ target }] }: BulkGo): BulkTable {
  return target.channel === "" ? "topics" : "channels";
}

/** What it does. */
export function goText({ bulk }: Texts, go: BulkGo): string {
  return bulk[go.action].what(bulk[tableOf(go)](go.items.length));
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
      <input
        type="checkbox"
        form={FORM}
        name="name"
        value={text}
        aria-label={request.texts.bulk.tick(text)}
      />
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
  const { bulk } = request.texts;
  return (
    <form id={FORM} method="post" action={request.paths.bulk} class="controls" aria-label={bulk.form}>
      <input type="hidden" name="of" value={table} />
      {["filter", "sort"].map((name) => (
        <input type="hidden" name={name} value={request.query.get(name) ?? ""} />
      ))}
      <label>
        {bulk.which}{" "}
        <select name="which">
          <option value="ticked">{bulk.ticked}</option>
          <option value="found">{bulk.found}</option>
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
          {bulk[action].button}
        </button>
      ))}
    </form>
  );
}
