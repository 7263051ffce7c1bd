/**
 * A topic: what each node has of it, its channels, and what can be done with it.
 *
 * @module
 */

import { inSlices } from "../../base/time_slice.ts";
import type { ChannelStats, TopicStats } from "../../cluster/topic_stats.ts";
import type { Answer } from "../../http/answer.ts";
import type { Series } from "../watch/series.ts";
import { CHANNEL_FIELDS, ChannelCounts, ChannelHeads, type ChannelPart } from "./channel_columns.tsx";
import { Charts } from "./charts.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { rounded } from "./figures.ts";
import { GraphiteLinks, TOPIC_METRICS } from "./graphite.tsx";
import { Layout } from "./layout.tsx";
import { LatencyCells, LatencyHeads, quantilesOf } from "./latency.tsx";
import type { Markup } from "./markup.ts";
import { GoneWith, goneWith, LastKnown } from "./news.tsx";
import {
  ActionsOnAllNodes,
  ActionsOnNode,
  Failures,
  NodeHead,
  Paused,
  Table,
  TakeOffButton,
} from "./parts.tsx";
import { PublishForm } from "./publish_form.tsx";
import { type Rates, ratesAt, ratesOf } from "./rates.ts";
import { DeadLetterLinks, NEW_CHANNEL, RedriveForm } from "./redrive.tsx";
import type { PageRequest } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

const CHARTS = [
  ["depth", "waitingOfTopic"],
  ["inRate", "inRate"],
  ["outRate", "channelsFinishedRate"],
  ["inFlight", "inFlight"],
] as const;

/** What a node has of the topic, or all have together. */
interface Part extends Rates {
  readonly stats: TopicStats;
}

const COLUMNS: readonly (readonly [
  head: keyof Texts["columns"],
  key: string,
  valueOf: (part: Part) => number | undefined,
])[] = [
  ["depth", "depth", ({ stats }) => stats.depth],
  ["inMemory", "memory_depth", ({ stats }) => stats.memory_depth],
  ["onDisk", "backend_depth", ({ stats }) => stats.backend_depth],
  ["inChannels", "channel_depth", sumOf(({ depth }) => depth)],
  ["inFlight", "in_flight", sumOf(({ in_flight_count }) => in_flight_count)],
  ["deferred", "deferred", sumOf(({ deferred_count }) => deferred_count)],
  ["inRate", "in", ({ inRate }) => inRate],
  ["outRate", "out", ({ outRate }) => outRate],
  ["messages", "messages", ({ stats }) => stats.message_count],
  ["channels", "channels", ({ stats }) => stats.channels?.length ?? 0],
];

/** A part in a file. */
const NODE_FIELDS: Fields<Part> = {
  node: ({ stats }) => stats.node,
  hostname: ({ stats }) => stats.hostname,
  ...Object.fromEntries(COLUMNS.map(([, key, valueOf]) => [key, valueOf])),
  paused: ({ stats }) => stats.paused,
};

/** A number of all its channels. */
function sumOf(countOf: (channel: ChannelStats) => number): (part: Part) => number {
  return ({ stats: { channels } }) => (channels ?? []).reduce((sum, channel) => sum + countOf(channel), 0);
}

/** `GET /topics/:topic` */
export async function topicPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller, views }, texts } = request;
  const { topic } = request.context.params;
  const { sum, nodes, failures } = await views.topic(topic, request);
  poller.note();
  const series = poller.find(topic);
  const parts: Part[] = [];
  await inSlices(sum.nodes ?? [], (stats) => parts.push({ stats, ...ratesAt(request, stats.node, series) }));
  const channels = (sum.channels ?? []).map((stats) => ({
    stats,
    ...ratesOf(series?.channels.get(stats.channel_name)),
  }));
  const file = exported(request, {
    nodes: fileOf(parts, NODE_FIELDS),
    channels: fileOf(channels, { channel: ({ stats }) => stats.channel_name, ...CHANNEL_FIELDS }),
  }, failures);
  if (file) return await file;
  const gone = await goneWith(request, series);
  return (
    <Layout request={request} title={texts.topic.title(topic)} live>
      <h1>
        {texts.topic.heading(topic)} <Paused request={request} is={sum.paused} />
      </h1>
      {request.may("peek") && (
        <p>
          <a href={request.paths.tap(topic)}>{texts.topic.tap}</a>
        </p>
      )}
      <DeadLetterLinks request={request} topic={topic} />
      <Failures request={request} of={failures} shown={texts.common.missingInNumbers} />
      <LastKnown request={request} series={series} failures={failures} />
      <GoneWith request={request} of={gone} />
      <ActionsOnAllNodes request={request} to={request.paths.topic(topic)} paused={sum.paused} />
      {nodes === 0 ? <p>{texts.topic.notThere}</p> : (
        <>
          <Charts request={request} history={poller.history} of={series} fields={CHARTS} />
          <GraphiteLinks request={request} of={["topic", topic]} metrics={TOPIC_METRICS} />
          <NodesTable request={request} parts={parts} sum={sum} series={series} />
          <ExportLinks request={request} table="nodes" />
          <ChannelsTable request={request} channels={channels} />
          <ExportLinks request={request} table="channels" />
          {sum.channels === null && <RedriveForm request={request} topic={topic} channel={NEW_CHANNEL} />}
          <PublishForm request={request} topic={topic} nodes={(sum.nodes ?? []).map(({ node }) => node)} />
        </>
      )}
    </Layout>
  );
}

function NodesTable(
  { request, parts, sum, series }: {
    readonly request: PageRequest;
    readonly parts: readonly Part[];
    readonly sum: TopicStats;
    readonly series: Series | undefined;
  },
): Markup {
  const { texts, texts: { columns } } = request;
  const quantiles = quantilesOf(parts.map(({ stats }) => stats));
  const total = { stats: sum, ...ratesOf(series) };
  return (
    <Table caption={texts.topic.nodes}>
      <thead>
        <tr>
          <th scope="col" class="name">{columns.node}</th>
          {COLUMNS.map(([head]) => <th scope="col" class="n">{columns[head]}</th>)}
          <LatencyHeads request={request} quantiles={quantiles} />
          {request.may("pause") && <th scope="col">{columns.actions}</th>}
        </tr>
      </thead>
      <tbody>
        {parts.map((part) => {
          const { stats } = part;
          return (
            <tr>
              <NodeHead request={request} of={stats} />
              <Numbers of={part} />
              <LatencyCells of={stats.e2e_processing_latency} quantiles={quantiles} />
              {request.may("pause") && (
                <td>
                  <ActionsOnNode request={request} to={request.paths.topic(stats.topic_name)} of={stats} />
                  {request.may("tombstone") && (
                    <TakeOffButton request={request} topic={stats.topic_name} node={stats.node} />
                  )}
                </td>
              )}
            </tr>
          );
        })}
        <tr class="total">
          <th scope="row" class="name">{texts.common.total}</th>
          <Numbers of={total} />
          <LatencyCells of={sum.e2e_processing_latency} quantiles={quantiles} />
          {request.may("pause") && <td></td>}
        </tr>
      </tbody>
    </Table>
  );
}

function Numbers({ of: part }: { readonly of: Part }): Markup {
  const values = COLUMNS.map(([, , valueOf]) => valueOf(part));
  return <>{values.map((value) => <td class="n">{value !== undefined && rounded(value)}</td>)}</>;
}

function ChannelsTable(
  { request, channels }: { readonly request: PageRequest; readonly channels: readonly ChannelPart[] },
): Markup {
  const { columns, topic } = request.texts;
  const quantiles = quantilesOf(channels.map(({ stats }) => stats));
  if (channels.length === 0) {
    return <p class="warning">{topic.noChannel}</p>;
  }
  return (
    <Table caption={topic.channels}>
      <thead>
        <tr>
          <th scope="col" class="name">{columns.channel}</th>
          <ChannelHeads request={request} />
          <LatencyHeads request={request} quantiles={quantiles} />
        </tr>
      </thead>
      <tbody>
        {channels.map((channel) => (
          <tr>
            <th scope="row" class="name">
              <a href={request.paths.channel(channel.stats.topic_name, channel.stats.channel_name)}>
                {channel.stats.channel_name}
              </a>{" "}
              <Paused request={request} is={channel.stats.paused} />
            </th>
            <ChannelCounts of={channel} />
            <LatencyCells of={channel.stats.e2e_processing_latency} quantiles={quantiles} />
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
