/**
 * The endpoints that change something (nsqadmin/http.go). Who may not is refused before the body is read.
 *
 * @module
 */

import { UnansweredError } from "../../cluster/asked.ts";
import type { Action, Done } from "../../cluster/cluster_actions.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { jsonFields } from "../../protocol/json_fields.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { requireRight } from "../access.ts";
import { type Change, makeChange, rightFor } from "../changes.ts";
import type { AdminContext } from "../context.ts";
import { KICK_FIELDS, kickTarget } from "../kick_target.ts";
import { Upstream } from "./upstream.ts";

/** The largest body, in bytes. */
export const BODY_SIZE_MAX = 64 * 1024;

const ACTIONS: readonly string[] = ["pause", "unpause", "empty"] satisfies Action[];

/** `POST /api/topics` */
export async function createTopicOrChannel(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "create");
  const { topic = "", channel = "" } = await bodyTexts(request, ["topic", "channel"]);
  if (!isValidTopicName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  if (channel !== "" && !isValidChannelName(channel)) throw new HttpError(400, "INVALID_CHANNEL");
  const change: Change = { kind: "create", target: { topic, channel } };
  return await applied(admin, request, { what: "create topic/channel", change });
}

/** `POST /api/topics/:topic` and `POST /api/topics/:topic/:channel` */
export async function actOnTopicOrChannel(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "change");
  const { action = "" } = await bodyTexts(request, ["action"]);
  if (!isAction(action)) throw new HttpError(400, "INVALID_ACTION");
  const change: Change = { kind: action, target: targetOf(request) };
  requireRight(admin, request, rightFor(change));
  return await applied(admin, request, { what: `${action} topic/channel`, change });
}

/** `DELETE /api/topics/:topic` and `DELETE /api/topics/:topic/:channel` */
export async function deleteTopicOrChannel(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "delete");
  const target = targetOf(request);
  const what = target.channel === "" ? "delete topic" : "delete channel";
  return await applied(admin, request, { what, change: { kind: "delete", target } });
}

/** `DELETE /api/nodes/:node` */
export async function tombstoneNode(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "tombstone");
  let topic: string;
  try {
    ({ topic = "" } = await bodyTexts(request, ["topic"]));
  } catch (cause) {
    if (!(cause instanceof HttpError) || cause.status !== 400) throw cause;
    throw new HttpError(400, "INVALID_BODY", { cause });
  }
  if (!isValidTopicName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  const change: Change = { kind: "tombstone", topic, node: request.params.node };
  return await applied(admin, request, { what: "tombstone node for topic", change });
}

/** `POST /api/nodes/:node` */
export async function actOnNode(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "drain");
  const { action = "" } = await bodyTexts(request, ["action"]);
  if (action !== "drain") throw new HttpError(400, "INVALID_ACTION");
  const change: Change = { kind: "drain", node: request.params.node };
  const upstream = new Upstream(admin);
  await upstream.noting("drain node", done(makeChange(admin, request, change)));
  return { message: upstream.message };
}

/** `DELETE /api/cluster/nodes/:node` */
export async function forgetNode(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "forget");
  const change: Change = { kind: "forget", node: request.params.node };
  return await applied(admin, request, { what: "forget node", change });
}

/** `POST /api/consumers/kick` */
export async function kickConsumer(admin: AdminContext, request: RequestContext): Promise<unknown> {
  requireRight(admin, request, "kick");
  const texts = await bodyTexts(request, ["topic", "channel", ...KICK_FIELDS]);
  const consumer = kickTarget((name) => texts[name]);
  return await applied(admin, request, { what: "kick client", change: { kind: "kick", consumer } });
}

/** Makes a change; what is said of it. */
export async function applied(
  admin: AdminContext,
  request: RequestContext,
  { what, change }: { readonly what: string; readonly change: Change },
): Promise<{ readonly message: string }> {
  const upstream = new Upstream(admin);
  await upstream.noting(what, makeChange(admin, request, change));
  return { message: upstream.message };
}

/** Of a change of one node: that nothing was done is no warning. @throws {UnansweredError} */
async function done(making: Promise<Done>): Promise<Done> {
  const made = await making;
  if (made.done.length === 0) throw new UnansweredError("nsqd", made.failures);
  return made;
}

function isAction(text: string): text is Action {
  return ACTIONS.includes(text);
}

function targetOf({ params }: RequestContext): { topic: string; channel: string } {
  return { topic: params.topic, channel: params.channel ?? "" };
}

/**
 * Texts in the object that the body is, as Go's decoder finds them: by name without regard to case, the last of each. Of those that
 * are no texts, numbers and the like are as they are written.
 *
 * @throws {HttpError} 400 for what is none, 413 if it is too long.
 */
export async function bodyTexts<Name extends string>(
  request: RequestContext,
  names: readonly Name[],
  noTexts: readonly Name[] = [],
): Promise<Partial<Record<Name, string>>> {
  const body = await request.readBody(BODY_SIZE_MAX);
  if (body === undefined) throw new HttpError(413, "INVALID_BODY");
  if (body.length === 0) throw new HttpError(400, "EOF");
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  request.detail = text;
  try {
    const texts: Partial<Record<Name, string>> = {};
    for (const field of jsonFields(text) ?? []) {
      const name = names.find((each) => each === field.name.toLowerCase());
      const value: unknown = name === undefined ? null : JSON.parse(field.text);
      if (name === undefined || value === null) continue;
      const isText = typeof value === "string";
      if (!isText && (!noTexts.includes(name) || typeof value === "object")) {
        throw new SyntaxError(`json: ${name} is no string`);
      }
      texts[name] = isText ? value : field.text;
    }
    return texts;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, cause.message, { cause });
  }
}
