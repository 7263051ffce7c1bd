/**
 * Names of topics and channels (internal/protocol/names.go).
 *
 * @module
 */

/** The longest name, its `#ephemeral` suffix included. */
export const NAME_LENGTH_MAX = 64;

/** What a name ends with that is not kept over a restart. */
export const EPHEMERAL_SUFFIX = "#ephemeral";

const NAME = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/;

/** True when `name` may name a topic. */
export function isValidTopicName(name: string): boolean {
  return name.length >= 1 && name.length <= NAME_LENGTH_MAX && NAME.test(name);
}

/** True when `name` may name a channel; the rule is the same as for topics. */
export function isValidChannelName(name: string): boolean {
  return isValidTopicName(name);
}

/** For those who make topics: whoever took the name from a peer has refused it, if it is none. @throws {TypeError} */
export function checkTopicName(name: string): void {
  if (!isValidTopicName(name)) throw new TypeError(`Not the name of a topic: ${JSON.stringify(name)}`);
}

/** The same for channels. @throws {TypeError} */
export function checkChannelName(name: string): void {
  if (!isValidChannelName(name)) throw new TypeError(`Not the name of a channel: ${JSON.stringify(name)}`);
}

/** True when the topic or channel of that name lives only as long as something uses it. */
export function isEphemeral(name: string): boolean {
  return name.endsWith(EPHEMERAL_SUFFIX);
}
