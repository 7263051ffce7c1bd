/**
 * A channel: what each node has of it, its consumers, and what can be done with it.
 *
 * @module
 */

import type { Answer } from "../../http/answer.ts";
import { CHANNEL_FIELDS, ChannelCounts, ChannelHeads, type ChannelPart } from "./channel_columns.tsx";
import { channelConsumers, CLIENT_FIELDS } from "./channel_consumers.tsx";
import { Charts } from "./charts.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { CHANNEL_METRICS, GraphiteLinks } from "./graphite.tsx";
import { LatencyCells, LatencyHeads, quantilesOf } from "./latency.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { GoneWith, goneWith, LastKnown } from "./news.tsx";
import { ActionsOnAllNodes, ActionsOnNode, Failures, NodeHead, Paused, Table } from "./parts.tsx";
import { ratesAt, ratesOf } from "./rates.ts";
import { DeadLetterLinks, RedriveForm } from "./redrive.tsx";
import type { PageRequest } from "./request.ts";

const CHARTS = [
  ["depth", "depth"],
  ["inRate", "inRate"],
  ["outRate", "finishedRate"],
  ["inFlight", "inFlight"],
  ["deferred", "deferred"],
  ["consumers", "consumers"],
] as const;

/** What a node has of the channel, in a file. */
const NODE_FIELDS: Fields<ChannelPart> = {
  node: ({ stats }) => stats.node,
  hostname: ({ stats }) => stats.hostname,
  ...CHANNEL_FIELDS,
};

/** `GET /topics/:topic/:channel` */
export async function channelPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller, views }, texts } = request;
  const { topic, channel } = request.context.params;
  const { sum, failures } = await views.channel(topic, channel, request);
  poller.note();
  const series = poller.find(topic, channel);
  const parts = (sum?.nodes ?? []).map((stats) => ({ stats, ...ratesAt(request, stats.node, series) }));
  const file = exported(request, {
    nodes: fileOf(parts, NODE_FIELDS),
    consumers: fileOf(sum?.clients ?? [], CLIENT_FIELDS),
  }, failures);
  if (file) return await file;
  const gone = await goneWith(request, series);
  const consumers = sum && await channelConsumers(request, sum);
  return (
    <Layout request={request} title={texts.channel.title(channel, topic)} live>
      <p>
        {texts.common.topicLink(<a href={request.paths.topic(topic)}>{topic}</a>)}
        {request.may("peek") && (
          <>
            {" · "}
            <a href={request.paths.messages(topic, channel)}>{texts.common.messages}</a>
          </>
        )}
      </p>
      <h1>
        {texts.channel.heading(channel)} <Paused request={request} is={sum?.paused ?? false} />
      </h1>
      <DeadLetterLinks request={request} topic={topic} />
      <Failures request={request} of={failures} shown={texts.common.missingInNumbers} />
      <LastKnown request={request} series={series} failures={failures} />
      <GoneWith request={request} of={gone} />
      <ActionsOnAllNodes
        request={request}
        to={request.paths.channel(topic, channel)}
        paused={sum?.paused ?? false}
      />
      {sum === undefined ? <p>{texts.channel.notThere}</p> : (
        <>
          <Charts request={request} history={poller.history} of={series} fields={CHARTS} />
          <GraphiteLinks
            request={request}
            of={["topic", topic, "channel", channel]}
            metrics={CHANNEL_METRICS}
          />
          <NodesTable request={request} parts={parts} sum={{ stats: sum, ...ratesOf(series) }} />
          <ExportLinks request={request} table="nodes" />
          {consumers}
          <ExportLinks request={request} table="consumers" />
          <RedriveForm request={request} topic={topic} channel={channel} />
        </>
      )}
    </Layout>
  );
}

function NodesTable(
  { request, parts, sum }: {
    readonly request: PageRequest;
    readonly parts: readonly ChannelPart[];
    readonly sum: ChannelPart;
  },
): Markup {
  const { texts, texts: { columns } } = request;
  const quantiles = quantilesOf(parts.map(({ stats }) => stats));
  return (
    <Table caption={texts.channel.nodes}>
      <thead>
        <tr>
          <th scope="col" class="name">{columns.node}</th>
          <ChannelHeads request={request} />
          <LatencyHeads request={request} quantiles={quantiles} />
          {request.may("pause") && <th scope="col">{columns.actions}</th>}
        </tr>
      </thead>
      <tbody>
        {parts.map((part) => (
          <tr>
            <NodeHead request={request} of={part.stats} />
            <ChannelCounts of={part} />
            <LatencyCells of={part.stats.e2e_processing_latency} quantiles={quantiles} />
            {request.may("pause") && (
              <td>
                <ActionsOnNode
                  request={request}
                  to={request.paths.channel(sum.stats.topic_name, sum.stats.channel_name)}
                  of={part.stats}
                />
              </td>
            )}
          </tr>
        ))}
        <tr class="total">
          <th scope="row" class="name">{texts.common.total}</th>
          <ChannelCounts of={sum} />
          <LatencyCells of={sum.stats.e2e_processing_latency} quantiles={quantiles} />
          {request.may("pause") && <td></td>}
        </tr>
      </tbody>
    </Table>
  );
}
