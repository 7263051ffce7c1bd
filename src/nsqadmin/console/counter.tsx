/**
 * How many messages all channels have had together.
 *
 * @module
 */

import type { TopicNumbers } from "../../cluster/topic_numbers.ts";
import { Asking } from "./asking.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { Failures } from "./parts.tsx";
import type { PageRequest } from "./request.ts";

/** `GET /counter` */
export async function counterPage(request: PageRequest): Promise<Markup> {
  const { cluster } = request.admin;
  const asking = new Asking();
  const nodes = await asking.ask(cluster.nodes(), []);
  let sum = 0;
  let count = 0;
  const add = ({ channels }: TopicNumbers) => {
    for (const { messages } of channels) {
      sum += messages;
      count++;
    }
  };
  if (nodes.length > 0) await asking.ask(cluster.eachTopic(nodes, add), []);
  return (
    <Layout request={request} title="Counter">
      <h1>Messages that channels have had</h1>
      <Failures of={asking.failures} shown="What is known there only is missing in the number." />
      <p class="big">{sum.toLocaleString("en")}</p>
      <p class="quiet">
        On {nodes.length.toLocaleString("en")} nodes, in {count.toLocaleString("en")}{" "}
        channels of them, since each was started.
      </p>
    </Layout>
  );
}
