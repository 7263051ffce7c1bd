/**
 * Changes that are asked for by the pages' forms: what cannot be undone is asked about first; what was done shows on the page
 * that the browser is sent back to, and what some could not do on a page of its own.
 *
 * @module
 */

import { type Failure, UnansweredError } from "../../cluster/asked.ts";
import type { MessageAction, Publication } from "../../cluster/cluster_actions.ts";
import type { Daemon } from "../../cluster/daemon_client.ts";
import type { Header } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { requireRight } from "../access.ts";
import { type Change, makeChange, rightFor } from "../changes.ts";
import { clientText, kickFields, kickTarget } from "../kick_target.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { type MessagesView, messagesView, viewQuery } from "./messages_view.ts";
import { Failures } from "./parts.tsx";
import { type PageRequest, queryOf } from "./request.ts";

/** The largest form, in bytes. */
export const FORM_SIZE_MAX = 256 * 1024;
/** The largest body of a message that is published by a form, in bytes: in a form each is up to three. */
export const PUBLISHED_SIZE_MAX = 64 * 1024;
/** Digits of a delay in ms. */
const DEFER_DIGITS_MAX = 12;

/** What is answered to a form: a page, or where to go on. */
export type FormAnswer =
  & ({ readonly status: number; readonly page: Markup } | { readonly location: string })
  & { readonly headers?: readonly Header[] };

/** A change as people speak of it. */
interface Wording {
  /** What is about to be done, as a question's end. */
  readonly question: string;
  /** What it means. */
  readonly meaning: string;
  /** What the button says. */
  readonly button: string;
}

/** `POST /topics`, `/topics/:topic`, `/topics/:topic/:channel`, `/nodes/:node` and `/consumers` */
export async function submitForm(request: PageRequest): Promise<FormAnswer> {
  const { context, admin } = request;
  requireRight(admin, context, "change");
  const form = queryOf(await formText(context));
  const action = form.get("action") ?? "";
  const change = changeOf(request, action.replace(/^ask-/, ""), form);
  requireRight(admin, context, rightFor(change));
  const at = messagesView(queryOf(form.get("at") ?? ""));
  if (action.startsWith("ask-")) {
    return { status: 200, page: <ConfirmPage request={request} change={change} at={at} /> };
  }
  try {
    const { done, failures } = await makeChange(admin, context, change);
    if (failures.length === 0) return { location: pathAfter(request, change, at) };
    admin.logger.warn(failures.map(({ reason }) => reason).join("\n"));
    return {
      status: 200,
      page: <PartlyDonePage request={request} change={change} at={at} done={done} failures={failures} />,
    };
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    admin.logger.error(`failed to ${change.kind} - ${error.message}`);
    const { failures } = error;
    return {
      status: 502,
      page: <PartlyDonePage request={request} change={change} at={at} done={[]} failures={failures} />,
    };
  }
}

/** What a form says, which the audit log is told unless it is secret. @throws {HttpError} 413 */
export async function formText(
  context: RequestContext,
  { sizeMax = FORM_SIZE_MAX, isSecret = false } = {},
): Promise<string> {
  const body = await context.readBody(sizeMax);
  if (body === undefined) throw new HttpError(413, "INVALID_BODY");
  const text = new TextDecoder().decode(body);
  // What messages say is nothing for the audit log.
  if (!isSecret) context.detail = text.replace(/(^|&)body=[^&]*/g, "$1body=");
  return text;
}

/** @throws {HttpError} 400 for what is no change. */
function changeOf({ context }: PageRequest, kind: string, form: ReadonlyMap<string, string>): Change {
  if (context.params.node !== undefined) return nodeChangeOf(kind, context.params.node);
  const { topic = form.get("topic") ?? "", channel = form.get("channel") ?? "" } = context.params;
  if (kind === "kick") {
    const { params } = context;
    // Where it is asked for says what of.
    const textOf = (name: string) => name === "topic" || name === "channel" ? params[name] : form.get(name);
    return { kind, consumer: kickTarget(textOf) };
  }
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
      if (isOfPage) return { kind, target: { topic, channel }, node: form.get("node") || undefined };
      break;
    case "publish":
      if (isOfPage && channel === "") return { kind, publication: publicationOf(topic, form) };
      break;
    case "delete":
      if (isOfPage) return { kind, target: { topic, channel } };
      break;
    case "tombstone": {
      const node = form.get("node") ?? "";
      if (isOfPage && node !== "") return { kind, topic, node };
      break;
    }
    case "requeue-message":
    case "delete-message":
    case "cancel-message": {
      const [node, id] = [form.get("node") ?? "", form.get("id") ?? ""];
      if (context.params.channel !== undefined && node !== "" && id !== "") {
        return { kind, target: { topic, channel, node, id } };
      }
      break;
    }
  }
  throw new HttpError(400, "INVALID_ACTION");
}

/** @throws {HttpError} 400 */
function nodeChangeOf(kind: string, node: string): Change {
  if (kind === "forget" || kind === "drain") return { kind, node };
  throw new HttpError(400, "INVALID_ACTION");
}

/** @throws {HttpError} 400 for what is no message, or 413 for a large one. */
function publicationOf(topic: string, form: ReadonlyMap<string, string>): Publication {
  // Forms end lines so, whatever the text did that they were filled with.
  const body = (form.get("body") ?? "").replaceAll("\r\n", "\n");
  const [node, defer] = [form.get("node") ?? "", (form.get("defer") ?? "").trim()];
  if (node === "") throw new HttpError(400, "INVALID_ACTION");
  if (body === "") throw new HttpError(400, "MSG_EMPTY");
  if (new TextEncoder().encode(body).length > PUBLISHED_SIZE_MAX) throw new HttpError(413, "MSG_TOO_BIG");
  if (!/^\d*$/.test(defer) || defer.length > DEFER_DIGITS_MAX) throw new HttpError(400, "INVALID_DEFER");
  return { topic, node, body, deferMs: Number(defer) };
}

/** Where somebody looks at what was changed; of what is gone, at what it was part of. */
function pathAfter(request: PageRequest, change: Change, at: MessagesView): string {
  if (isOfMessage(change)) return `${pathOf(request, change, at)}&done=${change.kind}`;
  const { paths } = request;
  const isGone = change.kind === "delete";
  const path = !isGone
    ? pathOf(request, change, at)
    : change.target.channel === ""
    ? paths.overview
    : paths.topic(change.target.topic);
  return `${path}?done=${change.kind}`;
}

function ConfirmPage(
  { request, change, at }: {
    readonly request: PageRequest;
    readonly change: Change;
    readonly at: MessagesView;
  },
): Markup {
  const { question, meaning, button } = wordingOf(change);
  return (
    <Layout request={request} title={`${button}?`}>
      <h1>{question}?</h1>
      <p>{meaning}</p>
      <form method="post" class="actions">
        <ChangeFields change={change} at={at} />
        <button
          type="submit"
          name="action"
          value={change.kind}
          class="danger"
          autofocus={change.kind === "pause" || change.kind === "unpause"}
        >
          {button}
        </button>
        <a href={pathOf(request, change, at)}>Do not</a>
      </form>
    </Layout>
  );
}

function PartlyDonePage(
  { request, change, at, done, failures }: {
    readonly request: PageRequest;
    readonly change: Change;
    readonly at: MessagesView;
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
        {change.kind === "create" && (
          <>
            <input type="hidden" name="topic" value={change.target.topic} />
            <input type="hidden" name="channel" value={change.target.channel} />
          </>
        )}
        <ChangeFields change={change} at={at} />
        <button type="submit" name="action" value={change.kind} class="plain">Try again</button>
        <a href={pathOf(request, change, at)}>Go on</a>
      </form>
    </Layout>
  );
}

/** What a form says of a change besides its path. */
function ChangeFields({ change, at }: { readonly change: Change; readonly at: MessagesView }): Markup {
  return (
    <>
      {"node" in change && change.node !== undefined && (
        <input type="hidden" name="node" value={change.node} />
      )}
      {change.kind === "publish" && (
        <>
          <input type="hidden" name="node" value={change.publication.node} />
          <input type="hidden" name="defer" value={change.publication.deferMs} />
          <input type="hidden" name="body" value={change.publication.body} />
        </>
      )}
      {change.kind === "kick" &&
        Object.entries(kickFields(change.consumer)).map(([name, value]) =>
          value !== undefined && <input type="hidden" name={name} value={value} />
        )}
      {isOfMessage(change) && (
        <>
          <input type="hidden" name="node" value={change.target.node} />
          <input type="hidden" name="id" value={change.target.id} />
          <input type="hidden" name="at" value={viewQuery(at).slice(1)} />
        </>
      )}
    </>
  );
}

type MessageChange = Extract<Change, { readonly kind: `${MessageAction}-message` }>;

function isOfMessage(change: Change): change is MessageChange {
  return change.kind.endsWith("-message");
}

/** The page that shows what the change is about; `at` is how messages were looked at. */
function pathOf({ paths }: PageRequest, change: Change, at: MessagesView): string {
  if (isOfMessage(change)) {
    const { topic, channel, node } = change.target;
    return paths.messages(topic, channel) + viewQuery({ ...at, node });
  }
  if (change.kind === "tombstone") return paths.topic(change.topic);
  if (change.kind === "forget") return paths.cluster;
  if (change.kind === "drain") return paths.node(change.node);
  if (change.kind === "publish") return paths.topic(change.publication.topic);
  if (change.kind === "kick" && change.consumer.topic === "") return paths.consumers;
  const { topic, channel } = change.kind === "kick" ? change.consumer : change.target;
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
  if (change.kind === "drain") {
    return {
      question: `Drain node ${change.node}`,
      meaning:
        "It takes no more messages, nobody is told of it any more, consumers finish what it has, and then it ends. That cannot be taken back: it must be started anew.",
      button: "Drain",
    };
  }
  if (change.kind === "forget") {
    return {
      question: `Forget node ${change.node}`,
      meaning:
        "It is not said any more that it is gone, and alerts about that are over; what it had last is not shown any more. If somebody tells of it again, it is there again.",
      button: "Forget",
    };
  }
  if (change.kind === "publish") {
    const { topic, node } = change.publication;
    return {
      question: `Publish a message to topic ${topic} on node ${node}`,
      meaning: "Each channel of the topic has it on this node.",
      button: "Publish",
    };
  }
  if (change.kind === "kick") {
    const { consumer } = change;
    const { topic, channel, node, address } = consumer;
    const of = topic === "" ? "" : ` from channel ${channel} of topic ${topic}`;
    const on = node === "" ? "" : ` on node ${node}`;
    return {
      question: `Cut ${clientText(consumer) || "who says nothing of itself"} off${of}${on}`,
      meaning: `${
        address === undefined ? "All connections that are called so are ended" : "This connection is ended"
      }. What is in flight there times out, and is delivered again. Clients connect again as soon as they like.`,
      button: "Cut off",
    };
  }
  const { topic, channel } = change.target;
  if (isOfMessage(change)) {
    const { node, id } = change.target;
    const what = `message ${id} of channel ${channel} of topic ${topic} on node ${node}`;
    if (change.kind === "cancel-message") {
      return {
        question: `Cancel ${what}`,
        meaning: "It is gone from this channel, unless it is due by then.",
        button: "Cancel message",
      };
    }
    return change.kind === "delete-message"
      ? {
        question: `Delete ${what}`,
        meaning: "It is gone from this channel, also if a consumer has it in flight.",
        button: "Delete message",
      }
      : {
        question: `Requeue ${what}`,
        meaning: "It is the next to be delivered, also if a consumer has it in flight.",
        button: "Requeue message",
      };
  }
  const node = "node" in change ? change.node : undefined;
  const what = (channel === "" ? `topic ${topic}` : `channel ${channel} of topic ${topic}`) +
    (node === undefined ? "" : ` on node ${node}`);
  switch (change.kind) {
    case "empty":
      return {
        question: `Empty ${what}`,
        meaning: `Messages that wait in it are dropped, on ${
          node === undefined ? "all nodes" : "this node only"
        }.`,
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
