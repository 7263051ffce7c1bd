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

const CHARTS = [
  ["depth", "Waiting, with what waits in channels"],
  ["inRate", "In, messages in a second"],
  ["outRate", "Finished by channels in a second"],
  ["inFlight", "In flight"],
] as const;

/** What a node has of the topic, or all have together. */
interface Part extends Rates {
  readonly stats: TopicStats;
}

const COLUMNS:
  readonly (readonly [head: string, key: string, valueOf: (part: Part) => number | undefined])[] = [
    ["Depth", "depth", ({ stats }) => stats.depth],
    ["In memory", "memory_depth", ({ stats }) => stats.memory_depth],
    ["On disk", "backend_depth", ({ stats }) => stats.backend_depth],
    ["In channels", "channel_depth", sumOf(({ depth }) => depth)],
    ["In flight", "in_flight", sumOf(({ in_flight_count }) => in_flight_count)],
    ["Deferred", "deferred", sumOf(({ deferred_count }) => deferred_count)],
    ["In/s", "in", ({ inRate }) => inRate],
    ["Out/s", "out", ({ outRate }) => outRate],
    ["Messages", "messages", ({ stats }) => stats.message_count],
    ["Channels", "channels", ({ stats }) => stats.channels?.length ?? 0],
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
  const { poller, views } = request.admin;
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
    <Layout request={request} title={`Topic ${topic}`} live>
      <h1>
        Topic {topic} <Paused is={sum.paused} />
      </h1>
      {request.may("peek") && (
        <p>
          <a href={request.paths.tap(topic)}>Tap</a>
        </p>
      )}
      <DeadLetterLinks request={request} topic={topic} />
      <Failures of={failures} shown="What is known there only is missing in the numbers below." />
      <LastKnown request={request} series={series} failures={failures} />
      <GoneWith request={request} of={gone} />
      <ActionsOnAllNodes request={request} to={request.paths.topic(topic)} paused={sum.paused} />
      {nodes === 0 ? <p>No node that has answered has this topic.</p> : (
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
  const quantiles = quantilesOf(parts.map(({ stats }) => stats));
  const total = { stats: sum, ...ratesOf(series) };
  return (
    <Table caption="Nodes that have the topic">
      <thead>
        <tr>
          <th scope="col" class="name">Node</th>
          {COLUMNS.map(([head]) => <th scope="col" class="n">{head}</th>)}
          <LatencyHeads quantiles={quantiles} />
          {request.may("pause") && <th scope="col">Actions</th>}
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
          <th scope="row" class="name">Total</th>
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
  const quantiles = quantilesOf(channels.map(({ stats }) => stats));
  if (channels.length === 0) {
    return <p class="warning">No channel: messages are kept until there is one.</p>;
  }
  return (
    <Table caption="Channels, over all nodes">
      <thead>
        <tr>
          <th scope="col" class="name">Channel</th>
          <ChannelHeads />
          <LatencyHeads quantiles={quantiles} />
        </tr>
      </thead>
      <tbody>
        {channels.map((channel) => (
          <tr>
            <th scope="row" class="name">
              <a href={request.paths.channel(channel.stats.topic_name, channel.stats.channel_name)}>
                {channel.stats.channel_name}
              </a>{" "}
              <Paused is={channel.stats.paused} />
            </th>
            <ChannelCounts of={channel} />
            <LatencyCells of={channel.stats.e2e_processing_latency} quantiles={quantiles} />
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
