/**
 * Whose connections are to be ended, as a form and the API say it.
 *
 * @module
 */

import type { KickTarget } from "../cluster/kick.ts";
import { HttpError } from "../http/http_error.ts";
import { isValidChannelName, isValidTopicName } from "../protocol/names.ts";

/** What says who. */
export const KICK_FIELDS = ["node", "address", "hostname", "client_id", "user_agent"] as const;

/** What is said by those names. @throws {HttpError} 400 If that is not whose. */
export function kickTarget(
  textOf: (name: typeof KICK_FIELDS[number] | "topic" | "channel") => string | undefined,
): KickTarget {
  const [topic, channel] = [textOf("topic") ?? "", textOf("channel") ?? ""];
  if ((topic !== "" || channel !== "") && !isValidTopicName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  if (topic !== "" && !isValidChannelName(channel)) throw new HttpError(400, "INVALID_CHANNEL");
  const node = textOf("node") ?? "";
  const address = textOf("address");
  const name = {
    hostname: textOf("hostname"),
    clientId: textOf("client_id"),
    userAgent: textOf("user_agent"),
  };
  // An address is one that a node has given: those of another mean somebody else.
  const isSaid = address === undefined
    ? Object.values(name).some((text) => text !== undefined)
    : address !== "" && node !== "";
  if (!isSaid) throw new HttpError(400, "MISSING_CLIENT");
  return { topic, channel, node, address, ...name };
}

/** The same, to be said again. */
export function kickFields(
  { node, address, hostname, clientId, userAgent }: KickTarget,
): Readonly<Record<typeof KICK_FIELDS[number], string | undefined>> {
  return { node: node || undefined, address, hostname, client_id: clientId, user_agent: userAgent };
}

/** What a client calls itself, and where it is connected from, as far as that is said. */
export function clientText({ address, hostname, clientId, userAgent }: KickTarget): string {
  return [hostname, clientId, userAgent, address].filter((text) => text !== undefined && text !== "").join(
    " ",
  );
}
