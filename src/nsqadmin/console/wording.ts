/**
 * Changes as people speak of them.
 *
 * @module
 */

import type { MessageAction } from "../../cluster/cluster_actions.ts";
import type { Change } from "../changes.ts";
import { clientText } from "../kick_target.ts";

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
export function wordingOf(change: Change): Wording {
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
  if (change.kind === "redrive") {
    const { topic, channel, to } = change.order;
    return {
      question: `Redrive channel ${channel} of topic ${topic} to topic ${to}`,
      meaning: "Each message is published there, and is gone from this channel then.",
      button: "Redrive",
    };
  }
  if (change.kind === "cancel-redrive") {
    return {
      question: `Cancel redrive ${change.id}`,
      meaning: "What is published stays published; all else stays where it is.",
      button: "Cancel redrive",
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
