/**
 * Changes that are asked for by the pages' forms: what cannot be undone is asked about first; what was done shows on the page
 * that the browser is sent back to, and what some could not do on a page of its own.
 *
 * @module
 */

import { UnansweredError } from "../../cluster/asked.ts";
import { type Done, type Publication, withThoseConcerned } from "../../cluster/cluster_actions.ts";
import type { Header } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import { queryPairs } from "../../http/query.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { requireRight } from "../access.ts";
import { type Change, makeChange, rightFor } from "../changes.ts";
import { kickFields, kickTarget } from "../kick_target.ts";
import { redriveOrder } from "../redrive/redrives.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { type MessagesView, messagesView, viewQuery } from "./messages_view.ts";
import { Failures } from "./parts.tsx";
import { redriveDryRun, RedriveFields } from "./redrive.tsx";
import { restAfter, restFields, restIn } from "./rest_form.ts";
import { isOfMessage, wordingOf } from "./wording.ts";
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

/** `POST /topics`, `/topics/:topic`, `/topics/:topic/:channel`, `/nodes/:node` and `/consumers` */
export async function submitForm(request: PageRequest): Promise<FormAnswer> {
  const { context, admin } = request;
  requireRight(admin, context, "change");
  const form = queryOf(await formText(context));
  const action = form.get("action") ?? "";
  // Who may be told again are the nodes that are known.
  if (form.has("partly")) await admin.poller.look();
  const change = changeOf(request, action.replace(/^ask-/, ""), form);
  requireRight(admin, context, rightFor(change));
  const at = messagesView(queryOf(form.get("at") ?? ""));
  if (action.startsWith("ask-")) {
    if (change.kind === "redrive") return await redriveDryRun(request, change.order);
    return { status: 200, page: <ConfirmPage request={request} change={change} at={at} /> };
  }
  try {
    const done = withThoseConcerned(await makeChange(admin, context, change));
    const { failures } = done;
    if (failures.length === 0) return { location: pathAfter(request, change, at) };
    admin.logger.warn(failures.map(({ reason }) => reason).join("\n"));
    return {
      status: 200,
      page: <PartlyDonePage request={request} change={change} at={at} done={done} />,
    };
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    admin.logger.error(`failed to ${change.kind} - ${error.message}`);
    const done = { done: [], failures: error.failures };
    return {
      status: 502,
      page: <PartlyDonePage request={request} change={change} at={at} done={done} />,
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

/** The fields of a form, in their order. @throws {HttpError} 400 */
export function pairsOf(text: string): readonly (readonly [name: string, value: string])[] {
  try {
    return [...queryPairs(text)];
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, cause.message, { cause });
  }
}

/** @throws {HttpError} 400 for what is no change. */
function changeOf(request: PageRequest, kind: string, form: ReadonlyMap<string, string>): Change {
  const { context } = request;
  if (context.params.node !== undefined) return nodeChangeOf(kind, context.params.node);
  const { topic = form.get("topic") ?? "", channel = form.get("channel") ?? "" } = context.params;
  if (kind === "kick") {
    const { params } = context;
    // Where it is asked for says what of.
    const textOf = (name: string) => name === "topic" || name === "channel" ? params[name] : form.get(name);
    return { kind, consumer: kickTarget(textOf) };
  }
  if (kind === "cancel-redrive") return { kind, id: form.get("id") ?? "" };
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
      if (isOfPage) {
        const node = form.get("node") || undefined;
        return { kind, target: { topic, channel }, node, rest: restIn(request, form) };
      }
      break;
    case "publish":
      if (isOfPage && channel === "") return { kind, publication: publicationOf(topic, form) };
      break;
    case "redrive":
      if (context.params.channel !== undefined) {
        const [to = "", rate = "", messages = ""] = ["to", "rate", "messages"].map((name) => form.get(name));
        return { kind, order: redriveOrder({ topic, channel, to, rate, messages }) };
      }
      break;
    case "delete":
      if (isOfPage) return { kind, target: { topic, channel }, rest: restIn(request, form) };
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
  const node = nodeOf(change);
  return `${path}?done=${change.kind}${node === undefined ? "" : `&on=${encodeURIComponent(node)}`}`;
}

/** The one node that a change was made on; undefined if it may have been several. */
function nodeOf(change: Change): string | undefined {
  if (change.kind === "publish") return change.publication.node;
  if (change.kind === "kick") return change.consumer.node || undefined;
  return "node" in change ? change.node : undefined;
}

function ConfirmPage(
  { request, change, at }: {
    readonly request: PageRequest;
    readonly change: Change;
    readonly at: MessagesView;
  },
): Markup {
  const { changes, common } = request.texts;
  const { question, meaning, button } = wordingOf(changes, change);
  return (
    <Layout request={request} title={changes.asked(button)}>
      <h1>{changes.asked(question)}</h1>
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
        <a href={pathOf(request, change, at)}>{common.doNot}</a>
      </form>
    </Layout>
  );
}

function PartlyDonePage(
  { request, change, at, done }: {
    readonly request: PageRequest;
    readonly change: Change;
    readonly at: MessagesView;
    /** Of this try. */
    readonly done: Done;
  },
): Markup {
  const { changes, partlyDone } = request.texts;
  const { button } = changes[change.kind];
  const rest = restAfter(change, done);
  const names = new Set([...rest?.done ?? [], ...done.done].map(({ kind, address }) => `${kind} ${address}`));
  return (
    <Layout request={request} title={partlyDone.title(button)}>
      <h1>{names.size === 0 ? partlyDone.notDone(button) : partlyDone.notEverywhere(button)}</h1>
      <Failures request={request} of={done.failures} shown={partlyDone.notDoneThere} />
      {names.size > 0 && (
        <section class="done">
          <p>{partlyDone.doneBy}</p>
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
        {rest !== undefined &&
          Object.entries(restFields(rest)).map(([name, value]) => (
            <input type="hidden" name={name} value={value} />
          ))}
        <button type="submit" name="action" value={change.kind} class="plain">
          {rest === undefined ? partlyDone.tryAgain : partlyDone.tryRestAgain}
        </button>
        <a href={pathOf(request, change, at)}>{partlyDone.goOn}</a>
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
      {change.kind === "redrive" && <RedriveFields order={change.order} />}
      {change.kind === "cancel-redrive" && <input type="hidden" name="id" value={change.id} />}
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

/** The page that shows what the change is about; `at` is how messages were looked at. */
function pathOf({ paths }: PageRequest, change: Change, at: MessagesView): string {
  if (isOfMessage(change)) {
    const { topic, channel, node } = change.target;
    return paths.messages(topic, channel) + viewQuery({ ...at, node });
  }
  if (change.kind === "tombstone") return paths.topic(change.topic);
  if (change.kind === "forget") return paths.cluster;
  if (change.kind === "drain") return paths.node(change.node);
  if (change.kind === "redrive" || change.kind === "cancel-redrive") return paths.redrives;
  if (change.kind === "publish") return paths.topic(change.publication.topic);
  if (change.kind === "kick" && change.consumer.topic === "") return paths.consumers;
  const { topic, channel } = change.kind === "kick" ? change.consumer : change.target;
  return channel === "" ? paths.topic(topic) : paths.channel(topic, channel);
}
