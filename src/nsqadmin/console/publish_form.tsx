/**
 * A form that publishes a message.
 *
 * @module
 */

import { type Markup, NOTHING } from "./markup.ts";
import type { PageRequest } from "./request.ts";

/** See above; nothing for who may not, and where there is no node. */
export function PublishForm(
  { request, topic, nodes, body = "", title }: {
    readonly request: PageRequest;
    readonly topic: string;
    /** `host:port` of those that can be chosen. */
    readonly nodes: readonly string[];
    /** What it begins with. */
    readonly body?: string;
    /** Where it is not what it is usually called. */
    readonly title?: string;
  },
): Markup {
  if (!request.may("publish") || nodes.length === 0) return NOTHING;
  const { publish } = request.texts;
  return (
    <section>
      <h2>{title ?? publish.title}</h2>
      <form method="post" action={request.paths.topic(topic)} class="controls">
        <label>
          {publish.message}
          {/* A line end at the beginning is not part of the text. */}
          <textarea name="body" rows={4} cols={60} required>{"\n" + body}</textarea>
        </label>
        <label>
          {publish.node}{" "}
          <select name="node">{nodes.map((node) => <option value={node}>{node}</option>)}</select>
        </label>
        <label>
          {publish.delay}{" "}
          <input type="text" name="defer" inputmode="numeric" pattern="[0-9]*" autocomplete="off" />
        </label>
        <button type="submit" name="action" value="publish" class="plain">{publish.button}</button>
      </form>
    </section>
  );
}
