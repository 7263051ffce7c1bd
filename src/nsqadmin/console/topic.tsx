/**
 * A topic: what each node has of it, its channels, and what can be done with it.
 *
 * @module
 */

import type { TopicStats } from "../../cluster/topic_stats.ts";
import type { Answer } from "../../http/answer.ts";
import { CHANNEL_FIELDS, ChannelCounts, ChannelHeads } from "./channel_columns.tsx";
import { Charts } from "./charts.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import { LatencyCells, LatencyHeads, quantilesOf } from "./latency.tsx";
import type { Markup } from "./markup.ts";
import { GoneWith } from "./news.tsx";
import {
  ActionsOnAllNodes,
  ActionsOnNode,
  Count,
  Failures,
  NodeHead,
  Paused,
  Table,
  TakeOffButton,
} from "./parts.tsx";
import { PublishForm } from "./publish_form.tsx";
import { DeadLetterLinks, NEW_CHANNEL, RedriveForm } from "./redrive.tsx";
import type { PageRequest } from "./request.ts";

const CHARTS = [
  ["depth", "Waiting, with what waits in channels"],
  ["inRate", "In, messages in a second"],
  ["outRate", "Finished by channels in a second"],
  ["inFlight", "In flight"],
] as const;

/** What a node has of the topic, in a file. */
const NODE_FIELDS: Fields<TopicStats> = {
  node: ({ node }) => node,
  hostname: ({ hostname }) => hostname,
  depth: ({ depth }) => depth,
  memory_depth: ({ memory_depth }) => memory_depth,
  backend_depth: ({ backend_depth }) => backend_depth,
  messages: ({ message_count }) => message_count,
  channels: ({ channels }) => channels?.length ?? 0,
  paused: ({ paused }) => paused,
};

/** `GET /topics/:topic` */
export async function topicPage(request: PageRequest): Promise<Markup | Answer> {
  const { poller, views } = request.admin;
  const { topic } = request.context.params;
  const { sum, nodes, failures } = await views.topic(topic, request);
  poller.note();
  const series = poller.find(topic);
  const file = exported(request, {
    nodes: fileOf(sum.nodes ?? [], NODE_FIELDS),
    channels: fileOf(sum.channels ?? [], { channel: ({ channel_name }) => channel_name, ...CHANNEL_FIELDS }),
  }, failures);
  if (file) return await file;
  return (
    <Layout request={request} title={`Topic ${topic}`} live>
      <h1>
        Topic {topic} <Paused is={sum.paused} />
      </h1>
      <DeadLetterLinks request={request} topic={topic} />
      <Failures of={failures} shown="What is known there only is missing in the numbers below." />
      <GoneWith request={request} series={series} />
      <ActionsOnAllNodes request={request} to={request.paths.topic(topic)} paused={sum.paused} />
      {nodes === 0 ? <p>No node that has answered has this topic.</p> : (
        <>
          <Charts request={request} history={poller.history} of={series} fields={CHARTS} />
          <NodesTable request={request} sum={sum} />
          <ExportLinks request={request} table="nodes" />
          <ChannelsTable request={request} sum={sum} />
          <ExportLinks request={request} table="channels" />
          {sum.channels === null && <RedriveForm request={request} topic={topic} channel={NEW_CHANNEL} />}
          <PublishForm request={request} topic={topic} nodes={(sum.nodes ?? []).map(({ node }) => node)} />
        </>
      )}
    </Layout>
  );
}

function NodesTable({ request, sum }: { readonly request: PageRequest; readonly sum: TopicStats }): Markup {
  const nodes = sum.nodes ?? [];
  const quantiles = quantilesOf(nodes);
  return (
    <Table caption="Nodes that have the topic">
      <thead>
        <tr>
          <th scope="col" class="name">Node</th>
          <th scope="col" class="n">Depth</th>
          <th scope="col" class="n">In memory</th>
          <th scope="col" class="n">On disk</th>
          <th scope="col" class="n">Messages</th>
          <th scope="col" class="n">Channels</th>
          <LatencyHeads quantiles={quantiles} />
          {request.may("pause") && <th scope="col">Actions</th>}
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => (
          <tr>
            <NodeHead request={request} of={node} />
            <Numbers of={node} />
            <LatencyCells of={node.e2e_processing_latency} quantiles={quantiles} />
            {request.may("pause") && (
              <td>
                <ActionsOnNode request={request} to={request.paths.topic(node.topic_name)} of={node} />
                {request.may("tombstone") && (
                  <TakeOffButton request={request} topic={node.topic_name} node={node.node} />
                )}
              </td>
            )}
          </tr>
        ))}
        <tr class="total">
          <th scope="row" class="name">Total</th>
          <Numbers of={sum} />
          <LatencyCells of={sum.e2e_processing_latency} quantiles={quantiles} />
          {request.may("pause") && <td></td>}
        </tr>
      </tbody>
    </Table>
  );
}

function Numbers({ of: stats }: { readonly of: TopicStats }): Markup {
  return (
    <>
      <Count of={stats.depth} />
      <Count of={stats.memory_depth} />
      <Count of={stats.backend_depth} />
      <Count of={stats.message_count} />
      <Count of={stats.channels?.length ?? 0} />
    </>
  );
}

function ChannelsTable(
  { request, sum }: { readonly request: PageRequest; readonly sum: TopicStats },
): Markup {
  const channels = sum.channels ?? [];
  const quantiles = quantilesOf(channels);
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
              <a href={request.paths.channel(channel.topic_name, channel.channel_name)}>
                {channel.channel_name}
              </a>{" "}
              <Paused is={channel.paused} />
            </th>
            <ChannelCounts of={channel} />
            <LatencyCells of={channel.e2e_processing_latency} quantiles={quantiles} />
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
