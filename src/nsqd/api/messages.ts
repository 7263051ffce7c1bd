/**
 * Looking at messages, and acting on one of them: `GET /messages` and `/message`, `POST /message/delete`, `/message/requeue`,
 * `/message/cancel` and `/client/kick`. NSQ has none of them; docs/http-api.md says what each does. There are none where the
 * messages are not this process's.
 *
 * @module
 */
import { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { MessageState } from "../../broker/channel.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import {
  type BodySearch,
  CONTAINS_SIZE_MAX,
  JsonSearch,
  PatternSearch,
  TextSearch,
} from "../queue/body_search.ts";
import {
  type InspectedPlace,
  type Inspection,
  MESSAGE_STATES,
  type MessagePage,
  type ShownMessage,
} from "../queue/inspection.ts";
import { parseJsonPath } from "../queue/json_path.ts";
import { consumeParams, numberOf, timeOf } from "./consume.ts";
import type { ApiContext } from "./context.ts";
import { RAW } from "./message_forms.ts";
import { type Params, topicName } from "./params.ts";

/** Messages of a page. */
export const PAGE_MESSAGES_MAX = 1000;
/** Bytes of a body that a page shows. */
export const SHOWN_BODY_SIZE_MAX = 64 * 1024;
/** How long a page is looked for, in ms. */
export const LOOK_TIME_MIN_MS = 100;
export const LOOK_TIME_MAX_MS = 10_000;

const PAGE_MESSAGES = 20;
const SHOWN_BODY_SIZE = 1024;
const LOOK_TIME_MS = 1000;
/** Auth servers are asked about this one, of messages that are in no channel. */
const CHANNEL_OF_OWN = "peek";

/** What an endpoint does with the messages. */
type Look = (messages: Inspection, params: Params, place: InspectedPlace) => unknown;

/** `GET /messages` */
export function messagePage(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  return look(nsqd, request, async (messages, params, place): Promise<MessagePage> => {
    return await messages.page(place, {
      states: statesOf(params.get("state")),
      max: numberOf(params, "max", { least: 1, most: PAGE_MESSAGES_MAX }) ?? PAGE_MESSAGES,
      bodyMax: numberOf(params, "body", { least: 0, most: SHOWN_BODY_SIZE_MAX }) ?? SHOWN_BODY_SIZE,
      cursor: params.get("cursor"),
      timeMs: timeOf(params, "time", { leastMs: LOOK_TIME_MIN_MS, mostMs: LOOK_TIME_MAX_MS }) ?? LOOK_TIME_MS,
      search: searchOf(params),
    });
  });
}

/** `GET /message` */
export function wholeMessage(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  return look(nsqd, request, async (messages, params, place): Promise<ShownMessage | Answer> => {
    const format = params.get("format") ?? "json";
    if (format !== "json" && format !== "raw") throw new HttpError(400, "INVALID_FORMAT");
    const { bytes, ...shown } = await messages.message(place, idOf(params));
    if (format === "json") return shown;
    const { id, attempts, timestamp, state } = shown;
    const headers = RAW.with([
      ["Nsq-Message-Id", id],
      ["Nsq-Attempts", String(attempts)],
      ["Nsq-Timestamp", timestamp],
      ["Nsq-Message-State", state],
    ]);
    return new Answer(200, headers, [bytes]);
  });
}

/** `POST /message/delete` */
export async function deleteMessage(nsqd: ApiContext, request: RequestContext): Promise<void> {
  const params = consumeParams(nsqd, request);
  await inspectionOf(nsqd).discard(placeIn(params, { needsChannel: true }), idOf(params));
}

/** `POST /message/requeue` */
export async function requeueMessage(nsqd: ApiContext, request: RequestContext): Promise<void> {
  const params = consumeParams(nsqd, request);
  await inspectionOf(nsqd).hasten(placeIn(params, { needsChannel: true }), idOf(params));
}

/** `POST /message/cancel` */
export async function cancelMessage(nsqd: ApiContext, request: RequestContext): Promise<unknown> {
  const params = consumeParams(nsqd, request);
  return { canceled: await inspectionOf(nsqd).cancel(placeIn(params), idOf(params)) };
}

/** `POST /client/kick` */
export function kickClient(nsqd: ApiContext, request: RequestContext): unknown {
  const address = consumeParams(nsqd, request).get("address");
  if (!address) throw new HttpError(400, "MISSING_ARG_ADDRESS");
  return { kicked: inspectionOf(nsqd).kick(address) };
}

/** Reading a body is what consuming is, to auth servers. */
async function look(nsqd: ApiContext, request: RequestContext, use: Look): Promise<unknown> {
  const params = consumeParams(nsqd, request);
  const place = placeIn(params);
  await nsqd.authorize(request, { topic: place.topic, channel: place.channel ?? CHANNEL_OF_OWN });
  return await use(inspectionOf(nsqd), params, place);
}

function inspectionOf({ inspection }: ApiContext): Inspection {
  if (!inspection) throw new Error("There are no endpoints for messages without the messages");
  return inspection;
}

/** @throws {HttpError} */
function placeIn(params: Params, { needsChannel = false } = {}): InspectedPlace {
  const topic = topicName(params);
  if (!isValidTopicName(topic)) throw new HttpError(400, "INVALID_ARG_TOPIC");
  const channel = params.get("channel");
  if (channel === undefined && needsChannel) throw new HttpError(400, "MISSING_ARG_CHANNEL");
  if (channel !== undefined && !isValidChannelName(channel)) throw new HttpError(400, "INVALID_ARG_CHANNEL");
  return { topic, channel };
}

/** @throws {HttpError} */
function idOf(params: Params): string {
  const id = params.get("id");
  if (id === undefined) throw new HttpError(400, "MISSING_ARG_ID");
  if (!/^[0-9a-f]{16}$/.test(id)) throw new HttpError(400, "INVALID_ID");
  return id;
}

/** @throws {HttpError} */
function statesOf(text: string | undefined): ReadonlySet<MessageState> {
  if (text === undefined) return new Set(MESSAGE_STATES);
  const names = text.split(",");
  const states = MESSAGE_STATES.filter((state) => names.includes(state));
  if (states.length !== names.length) throw new HttpError(400, "INVALID_STATE");
  return new Set(states);
}

/** @throws {HttpError} */
function searchOf(params: Params): BodySearch | undefined {
  const [contains, regex, path, value] = ["contains", "regex", "path", "value"].map((name) =>
    params.get(name)
  );
  const given = [contains, regex, path].filter((text) => text !== undefined);
  if (given.length > 1 || value !== undefined && path === undefined) {
    throw new HttpError(400, "INVALID_SEARCH");
  }
  if (contains !== undefined) {
    const bytes = new TextEncoder().encode(contains);
    if (bytes.length === 0 || bytes.length > CONTAINS_SIZE_MAX) throw new HttpError(400, "INVALID_CONTAINS");
    return new TextSearch(bytes);
  }
  if (regex !== undefined) return patternOf(regex);
  if (path === undefined) return undefined;
  const steps = parseJsonPath(path);
  if (!steps) throw new HttpError(400, "INVALID_PATH");
  return new JsonSearch(steps, value);
}

function patternOf(text: string): BodySearch {
  try {
    return new PatternSearch(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpError(400, "INVALID_REGEX", { cause });
  }
}
