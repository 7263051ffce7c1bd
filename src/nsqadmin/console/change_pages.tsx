/**
 * Changes that are asked for by the pages' forms: what cannot be undone is asked about first; what was done shows on the page
 * that the browser is sent back to, and what some could not do on a page of its own.
 *
 * @module
 */

import { type Failure, UnansweredError } from "../../cluster/asked.ts";
import type { Daemon } from "../../cluster/daemon_client.ts";
import { HttpError } from "../../http/http_error.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { requireAdmin } from "../access.ts";
import { type Change, makeChange } from "../changes.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { Failures } from "./parts.tsx";
import { type PageRequest, queryOf } from "./request.ts";

/** The largest form, in bytes. */
export const FORM_SIZE_MAX = 64 * 1024;

/** What is answered to a form: a page, or where to go on. */
export type FormAnswer =
  | { readonly status: number; readonly page: Markup }
  | { readonly location: string };

/** A change as people speak of it. */
interface Wording {
  /** What is about to be done, as a question's end. */
  readonly question: string;
  /** What it means. */
  readonly meaning: string;
  /** What the button says. */
  readonly button: string;
}

/** `POST /topics`, `/topics/:topic` and `/topics/:topic/:channel` */
export async function submitForm(request: PageRequest): Promise<FormAnswer> {
  const { context, admin } = request;
  requireAdmin(context, admin.options);
  const form = await formOf(request);
  const action = form.get("action") ?? "";
  const change = changeOf(request, action.replace(/^ask-/, ""), form);
  if (action.startsWith("ask-")) {
    return { status: 200, page: <ConfirmPage request={request} change={change} /> };
  }
  try {
    const { done, failures } = await makeChange(admin, context, change);
    if (failures.length === 0) return { location: `${pathAfter(request, change)}?done=${change.kind}` };
    admin.logger.warn(failures.map(({ reason }) => reason).join("\n"));
    return {
      status: 200,
      page: <PartlyDonePage request={request} change={change} done={done} failures={failures} />,
    };
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    admin.logger.error(`failed to ${change.kind} - ${error.message}`);
    const { failures } = error;
    return {
      status: 502,
      page: <PartlyDonePage request={request} change={change} done={[]} failures={failures} />,
    };
  }
}

async function formOf({ context }: PageRequest): Promise<ReadonlyMap<string, string>> {
  const body = await context.readBody(FORM_SIZE_MAX);
  if (body === undefined) throw new HttpError(413, "INVALID_BODY");
  const text = new TextDecoder().decode(body);
  context.detail = text;
  return queryOf(text);
}

/** @throws {HttpError} 400 for what is no change. */
function changeOf({ context }: PageRequest, kind: string, form: ReadonlyMap<string, string>): Change {
  const { topic = form.get("topic") ?? "", channel = form.get("channel") ?? "" } = context.params;
  if (!isValidTopicName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  if (channel !== "" && !isValidChannelName(channel)) throw new HttpError(400, "INVALID_CHANNEL");
  const isOfPage = context.params.topic !== undefined;
  switch (kind) {
    case "create":
      if (!isOfPage) return { kind, target: { topic, channel } };
      break;
    case "pause":
    case "unpause":
    case "empty":
    case "delete":
      if (isOfPage) return { kind, target: { topic, channel } };
      break;
    case "tombstone": {
      const node = form.get("node") ?? "";
      if (isOfPage && node !== "") return { kind, topic, node };
      break;
    }
  }
  throw new HttpError(400, "INVALID_ACTION");
}

/** Where somebody looks at what was changed; of what is gone, at what it was part of. */
function pathAfter({ paths }: PageRequest, change: Change): string {
  if (change.kind === "tombstone") return paths.topic(change.topic);
  const { topic, channel } = change.target;
  if (change.kind === "delete") return channel === "" ? paths.overview : paths.topic(topic);
  return channel === "" ? paths.topic(topic) : paths.channel(topic, channel);
}

function ConfirmPage(
  { request, change }: { readonly request: PageRequest; readonly change: Change },
): Markup {
  const { question, meaning, button } = wordingOf(change);
  return (
    <Layout request={request} title={`${button}?`}>
      <h1>{question}?</h1>
      <p>{meaning}</p>
      <form method="post" class="actions">
        {change.kind === "tombstone" && <input type="hidden" name="node" value={change.node} />}
        <button type="submit" name="action" value={change.kind} class="danger">{button}</button>
        <a href={pathOf(request, change)}>Do not</a>
      </form>
    </Layout>
  );
}

function PartlyDonePage(
  { request, change, done, failures }: {
    readonly request: PageRequest;
    readonly change: Change;
    readonly done: readonly Daemon[];
    readonly failures: readonly Failure[];
  },
): Markup {
  const { button } = wordingOf(change);
  const names = new Set(done.map(({ kind, address }) => `${kind} ${address}`));
  return (
    <Layout request={request} title={`${button}: not everywhere`}>
      <h1>{button}: {names.size === 0 ? "not done" : "not done everywhere"}</h1>
      <Failures of={failures} shown="There it has not been done, as far as is known." />
      {names.size > 0 && (
        <section class="done">
          <p>It was done by:</p>
          <ul>
            {[...names].map((name) => (
              <li>
                <code>{name}</code>
              </li>
            ))}
          </ul>
        </section>
      )}
      <form method="post" class="actions">
        {change.kind === "tombstone" && <input type="hidden" name="node" value={change.node} />}
        {change.kind === "create" && (
          <>
            <input type="hidden" name="topic" value={change.target.topic} />
            <input type="hidden" name="channel" value={change.target.channel} />
          </>
        )}
        <button type="submit" name="action" value={change.kind} class="plain">Try again</button>
        <a href={pathOf(request, change)}>Go on</a>
      </form>
    </Layout>
  );
}

/** The page that shows what the change is about. */
function pathOf({ paths }: PageRequest, change: Change): string {
  if (change.kind === "tombstone") return paths.topic(change.topic);
  const { topic, channel } = change.target;
  return channel === "" ? paths.topic(topic) : paths.channel(topic, channel);
}

function wordingOf(change: Change): Wording {
  if (change.kind === "tombstone") {
    const { topic, node } = change;
    return {
      question: `Take topic ${topic} off node ${node}`,
      meaning:
        "The node deletes the topic with its channels and the messages in them, and consumers are not told of the node for a while, in which they find others.",
      button: "Take off",
    };
  }
  const { topic, channel } = change.target;
  const what = channel === "" ? `topic ${topic}` : `channel ${channel} of topic ${topic}`;
  switch (change.kind) {
    case "empty":
      return {
        question: `Empty ${what}`,
        meaning: "Messages that wait in it are dropped, on all nodes.",
        button: "Empty",
      };
    case "delete":
      return {
        question: `Delete ${what}`,
        meaning:
          "It is deleted on all nodes, with the messages that wait in it. Consumers of it are cut off.",
        button: "Delete",
      };
    case "pause":
      return { question: `Pause ${what}`, meaning: "Messages are kept until it goes on.", button: "Pause" };
    case "unpause":
      return { question: `Unpause ${what}`, meaning: "Messages flow again.", button: "Unpause" };
    case "create":
      return {
        question: `Create ${what}`,
        meaning: "Consumers and producers are told of it.",
        button: "Create",
      };
  }
}
