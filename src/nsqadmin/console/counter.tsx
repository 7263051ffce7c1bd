/**
 * How many messages all channels have had together.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { rounded, whole } from "./figures.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ClusterNews, nodesText, seen } from "./news.tsx";
import type { PageRequest } from "./request.ts";

/** All channels together. */
interface Counter {
  readonly messages: number;
  readonly rate: number;
  readonly channels: number;
  readonly nodes: number;
}

const FIELDS: Fields<Counter> = {
  messages: ({ messages }) => messages,
  in: ({ rate }) => rate,
  channels: ({ channels }) => channels,
  nodes: ({ nodes }) => nodes,
};

/** `GET /counter` */
export async function counterPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller }, texts } = request;
  await seen(request);
  let messages = 0;
  let rate = 0;
  let count = 0;
  for (const topic of poller.topics) {
    for (const channel of topic.channels.values()) {
      messages += channel.sum("messages");
      rate += channel.sum("inRate");
      count += channel.nodes;
    }
  }
  const nodes = poller.nodes.filter((node) => poller.counts(node)).length;
  const counter: Counter = { messages, rate, channels: count, nodes };
  const file = exported(request, { counter: fileOf([counter], FIELDS) }, poller.failures);
  if (file) return await file;
  return (
    <Layout request={request} title={texts.pages.counter} live>
      <h1>{texts.counter.heading}</h1>
      <ClusterNews request={request} />
      <p class="big">{whole(messages)}</p>
      <p class="quiet">{texts.counter.about(nodesText(request), count, rounded(rate))}</p>
      <ExportLinks request={request} />
    </Layout>
  );
}
