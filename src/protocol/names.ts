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

/** True when the topic or channel of that name lives only as long as something uses it. */
export function isEphemeral(name: string): boolean {
  return name.endsWith(EPHEMERAL_SUFFIX);
}
