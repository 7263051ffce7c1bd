/**
 * How many messages all channels have had together.
 *
 * @module
 */

import { rounded } from "./charts.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { ClusterNews, seen } from "./news.tsx";
import type { PageRequest } from "./request.ts";

/** `GET /counter` */
export async function counterPage(request: PageRequest): Promise<Markup> {
  const { poller } = request.admin;
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
  return (
    <Layout request={request} title="Counter" live>
      <h1>Messages that channels have had</h1>
      <ClusterNews request={request} />
      <p class="big">{messages.toLocaleString("en")}</p>
      <p class="quiet">
        On {nodes.toLocaleString("en")} nodes, in {count.toLocaleString("en")}{" "}
        channels of them, since each was started; {rounded(rate)} in a second.
      </p>
    </Layout>
  );
}
