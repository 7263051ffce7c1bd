/**
 * Changes that people make, and the notifications of them (nsqadmin/http.go): the same whether they come by the API or
 * from a page.
 *
 * @module
 */

import {
  act,
  type Action,
  actOnMessage,
  create,
  type Done,
  drain,
  finish,
  type MessageAction,
  type Publication,
  publish,
  remove,
  type Rest,
  type Target,
  tombstone,
  withThoseConcerned,
} from "../cluster/cluster_actions.ts";
import { kick, type KickTarget } from "../cluster/kick.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { MessageTarget } from "../cluster/messages.ts";
import { UnansweredError } from "../cluster/asked.ts";
import { HttpError } from "../http/http_error.ts";
import type { RequestContext } from "../http/request_context.ts";
import { type Right, userOf } from "./access.ts";
import type { ActivityAuthor, Subject } from "./activity.ts";
import type { AdminContext } from "./context.ts";
import { clientText } from "./kick_target.ts";
import { planRedrive, type RedriveOrder } from "./redrive/plan.ts";

/** A change. */
export type Change =
  | { readonly kind: "create"; readonly target: Target }
  | { readonly kind: "delete"; readonly target: Target; readonly rest?: Rest | undefined }
  /** On all nodes, or on one; or on those that are left of an earlier try. */
  | {
    readonly kind: Action;
    readonly target: Target;
    readonly node?: string | undefined;
    readonly rest?: Rest | undefined;
  }
  | { readonly kind: "publish"; readonly publication: Publication }
  | { readonly kind: "tombstone"; readonly topic: string; readonly node: string }
  | { readonly kind: "drain"; readonly node: string }
  /** Nothing is said any more of a node that is gone. */
  | { readonly kind: "forget"; readonly node: string }
  | { readonly kind: `${MessageAction}-message`; readonly target: MessageTarget }
  | { readonly kind: "kick"; readonly consumer: KickTarget }
  | { readonly kind: "redrive"; readonly order: RedriveOrder }
  | { readonly kind: "cancel-redrive"; readonly id: string };

/**
 * Makes a change that the request asks for.
 *
 * @throws {UnansweredError} If nothing could be done, or next to nothing.
 * @throws {HttpError} 409 if a node is to be forgotten that is not gone; 404 if nobody is there to be kicked; 404, 409 or 503 if a
 * redrive cannot begin or end now.
 */
export async function makeChange(
  admin: AdminContext,
  request: RequestContext,
  change: Change,
): Promise<Done> {
  const subject = subjectOf(change);
  admin.activity.tried(request, subject);
  try {
    const done = await carryOut(admin, authorOf(admin, request), change);
    admin.activity.tried(request, subject, withThoseConcerned(done));
    return done;
  } catch (error) {
    if (error instanceof UnansweredError) {
      admin.activity.tried(request, subject, { done: [], failures: error.failures });
    }
    throw error;
  }
}

/** Who asks for a change, and how. */
export interface Author extends ActivityAuthor {
  /** Of the request. */
  readonly url: string;
}

/** Who has made this request. */
export function authorOf(admin: AdminContext, request: RequestContext): Author {
  return {
    user: userOf(admin, request),
    address: request.remoteAddress,
    userAgent: request.request.headers.get("user-agent") ?? "",
    url: urlOf(request),
  };
}

/** What one must be allowed to do for a change. */
export function rightFor({ kind }: Pick<Change, "kind">): Right {
  switch (kind) {
    case "unpause":
      return "pause";
    case "requeue-message":
      return "requeue";
    case "delete-message":
    case "cancel-message":
      return "delete";
    case "cancel-redrive":
      return "redrive";
    default:
      return kind;
  }
}

/**
 * Makes a change, and tells of it; the cluster may be asked by other requests than the admin's own.
 *
 * @throws As {@linkcode makeChange}.
 */
export async function carryOut(
  admin: AdminContext,
  author: Author,
  change: Change,
  cluster: Cluster = admin.cluster,
): Promise<Done> {
  try {
    return await carriedOut(admin, author, { change, cluster });
  } finally {
    // Whoever has made a change is to see it, also one that was made in part.
    admin.views.forget();
  }
}

async function carriedOut(
  admin: AdminContext,
  author: Author,
  { change, cluster }: { readonly change: Change; readonly cluster: Cluster },
): Promise<Done> {
  const notify = (
    action: string,
    target: Target | undefined,
    node?: string,
    { message, client, to }: {
      readonly message?: string;
      readonly client?: string;
      readonly to?: string;
    } = {},
  ) =>
    admin.notify({
      action,
      topic: target?.topic,
      channel: target?.channel || undefined,
      node,
      message,
      client,
      to,
      timestamp: Math.floor(admin.clock.nowMs() / 1000),
      user: author.user,
      remote_ip: author.address,
      user_agent: author.userAgent,
      url: author.url,
      via: admin.hostname,
    });
  switch (change.kind) {
    case "create": {
      const { target } = change;
      const done = await create(cluster, target);
      notify("create_topic", { topic: target.topic, channel: "" });
      if (target.channel !== "") notify("create_channel", target);
      return done;
    }
    case "delete": {
      const { target, rest } = change;
      const done = rest === undefined
        ? await remove(cluster, target)
        : await finish(cluster, "delete", target, rest);
      notify(`delete_${suffixOf(change.target)}`, change.target);
      return done;
    }
    case "pause":
    case "unpause":
    case "empty":
      try {
        return change.rest === undefined
          ? await act(cluster, change.kind, change.target, change.node)
          : await finish(cluster, change.kind, change.target, change.rest);
      } finally {
        // NSQ compat: whether it could be done or not.
        notify(`${change.kind}_${suffixOf(change.target)}`, change.target, change.node);
      }
    case "tombstone": {
      const { topic, node } = change;
      const done = await tombstone(cluster, topic, node);
      notify("tombstone_topic_producer", { topic, channel: "" }, node);
      return done;
    }
    case "drain": {
      const done = await drain(cluster, change.node);
      if (done.done.length > 0) notify("drain_node", undefined, change.node);
      return done;
    }
    case "forget": {
      const { node } = change;
      if (!admin.poller.forget(node)) throw new HttpError(409, "NODE_NOT_GONE");
      notify("forget_node", undefined, node);
      return { done: [], failures: [] };
    }
    case "publish": {
      const { topic, node } = change.publication;
      const done = await publish(cluster, change.publication);
      if (done.done.length > 0) notify("publish_message", { topic, channel: "" }, node);
      return done;
    }
    case "requeue-message":
    case "delete-message":
    case "cancel-message": {
      const { kind, target } = change;
      const action = MESSAGE_ACTIONS[kind];
      try {
        return await actOnMessage(cluster, action, target);
      } finally {
        // As of what is done with channels: whether it could be done or not.
        notify(`${action}_message`, target, target.node, { message: target.id });
      }
    }
    case "kick": {
      const { consumer } = change;
      const done = await kick(cluster, consumer);
      if (done.done.length + done.failures.length === 0) throw new HttpError(404, "CLIENT_NOT_FOUND");
      if (done.done.length > 0) {
        notify("kick_client", consumer, consumer.node || undefined, { client: clientText(consumer) });
      }
      return done;
    }
    case "redrive": {
      const { order } = change;
      admin.redrives.check(order);
      const plan = await planRedrive(cluster, order);
      admin.redrives.start(order, plan, author);
      notify("redrive", order, undefined, { to: order.to });
      return { done: plan.nodes.map((address) => ({ kind: "nsqd", address })), failures: plan.failures };
    }
    case "cancel-redrive": {
      const { order } = admin.redrives.cancel(change.id);
      notify("cancel_redrive", order, undefined, { to: order.to });
      return { done: [], failures: [] };
    }
  }
}

const MESSAGE_ACTIONS: Readonly<Record<`${MessageAction}-message`, MessageAction>> = {
  "requeue-message": "requeue",
  "delete-message": "delete",
  "cancel-message": "cancel",
};

function suffixOf({ channel }: Target): "topic" | "channel" {
  return channel === "" ? "topic" : "channel";
}

/** What a change is about, for the activity. */
export function subjectOf(change: Change): Subject {
  const { kind: action } = change;
  if (change.kind === "tombstone") return { action, topic: change.topic, node: change.node };
  if (change.kind === "forget" || change.kind === "drain") return { action, node: change.node };
  if (change.kind === "publish") {
    const { topic, node } = change.publication;
    return { action, topic, node };
  }
  if (change.kind === "redrive") {
    const { topic, channel, to } = change.order;
    return { action, topic, channel, to };
  }
  if (change.kind === "cancel-redrive") return { action, message: change.id };
  if (change.kind === "kick") {
    const { consumer } = change;
    const { topic, channel, node } = consumer;
    const client = clientText(consumer);
    return {
      action,
      topic: topic || undefined,
      channel: channel || undefined,
      node: node || undefined,
      client,
    };
  }
  const { target } = change;
  const { topic, channel } = target;
  return {
    action,
    topic,
    channel: channel || undefined,
    ..."node" in change && { node: change.node },
    ..."id" in target && { node: target.node, message: target.id },
  };
}

/** What the request asked for, as the client has called it. */
function urlOf({ request, target }: RequestContext): string {
  const scheme = request.headers.get("x-scheme") === "https" ? "https" : "http";
  return `${scheme}://${request.headers.get("host") ?? ""}${target}`;
}
