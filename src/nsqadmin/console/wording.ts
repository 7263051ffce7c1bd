/**
 * Changes as people speak of them.
 *
 * @module
 */

import type { MessageAction } from "../../cluster/cluster_actions.ts";
import type { KickTarget } from "../../cluster/kick.ts";
import type { Change } from "../changes.ts";
import { clientText } from "../kick_target.ts";
import type { Texts } from "./texts/texts.ts";

/** A change as people speak of it. */
export interface Wording {
  /** What is about to be done, as a question's end. */
  readonly question: string;
  /** What it means. */
  readonly meaning: string;
  /** What the button says. */
  readonly button: string;
}

/** A change of one message. */
export type MessageChange = Extract<Change, { readonly kind: `${MessageAction}-message` }>;

/** It is of one message. */
export function isOfMessage(change: Change): change is MessageChange {
  return change.kind.endsWith("-message");
}

/** How it is spoken of. */
export function wordingOf(texts: Texts["changes"], change: Change): Wording {
  const { meaning, button } = texts[change.kind];
  switch (change.kind) {
    case "tombstone":
      return { question: texts.tombstone.question(change.topic, change.node), meaning, button };
    case "drain":
    case "forget":
      return { question: texts[change.kind].question(change.node), meaning, button };
    case "publish": {
      const { topic, node } = change.publication;
      return { question: texts.publish.question(topic, node), meaning, button };
    }
    case "redrive": {
      const { topic, channel, to } = change.order;
      return { question: texts.redrive.question(channel, topic, to), meaning, button };
    }
    case "cancel-redrive":
      return { question: texts[change.kind].question(change.id), meaning, button };
    case "kick": {
      const isOne = change.consumer.address !== undefined;
      return {
        question: kickQuestion(texts, change.consumer),
        meaning: isOne ? texts.kick.meaningOfOne : meaning,
        button,
      };
    }
    case "requeue-message":
    case "delete-message":
    case "cancel-message": {
      const { id, ...place } = change.target;
      return { question: texts[change.kind].question(texts.message(id, place)), meaning, button };
    }
    default: {
      const { topic, channel } = change.target;
      const node = "node" in change ? change.node : undefined;
      const what = channel === "" ? texts.topic(topic) : texts.channel(topic, channel);
      return {
        question: texts[change.kind].question(node === undefined ? what : texts.onNode(what, node)),
        meaning: change.kind === "empty" && node !== undefined ? texts.empty.meaningOnNode : meaning,
        button,
      };
    }
  }
}

function kickQuestion({ kick, onNode }: Texts["changes"], consumer: KickTarget): string {
  const { topic, channel, node } = consumer;
  const client = clientText(consumer) || kick.nameless;
  const question = topic === "" ? kick.question(client) : kick.questionOfChannel(client, topic, channel);
  return node === "" ? question : onNode(question, node);
}
