/**
 * Consumers as rows: of the cluster, and of a channel.
 *
 * @module
 */

import { type Consumer, TOLD_MAX } from "../../cluster/consumers.ts";
import type { KickTarget } from "../../cluster/kick.ts";
import { kickFields } from "../kick_target.ts";
import type { Column } from "./columns.tsx";
import { whole } from "./figures.ts";
import type { Markup } from "./markup.ts";
import { ChangeButton, Count, Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import type { Columns } from "./table.ts";
import type { Texts } from "./texts/texts.ts";

/** The last second that is shown as such, whatever a node says: of the year 9999. */
const SECOND_MAX = 253_402_300_799;

/** A consumer with what is not to be made out anew for each comparison of two. */
export interface ConsumerRow {
  readonly consumer: Consumer;
  /** What the filter looks for. */
  readonly text: string;
  /** Nodes that it is connected to, of those that have its channels. */
  readonly nodes: number;
  readonly nodesOfChannels: number;
  readonly isImbalanced: boolean;
}

/** A row, which is found by those texts, too. */
export function consumerRow(consumer: Consumer, texts: readonly string[] = []): ConsumerRow {
  const { hostname, clientId, userAgent, identities, nodes, nodesOfChannels, isImbalanced } = consumer;
  const text = [hostname, clientId, userAgent, ...identities, ...texts].join("\n");
  return { consumer, text, nodes, nodesOfChannels, isImbalanced };
}

/** What rows can be sorted by, besides names. */
export const CONSUMER_COLUMNS: Columns<ConsumerRow> = {
  since: ({ consumer }) => connectedMs(consumer),
  connections: ({ consumer }) => consumer.connections,
  // The most missing first.
  nodes: ({ nodes, nodesOfChannels }) => nodesOfChannels - nodes,
  "in-flight": ({ consumer }) => consumer.inFlight,
  ready: ({ consumer }) => consumer.ready,
  finished: ({ consumer }) => consumer.finished,
  requeued: ({ consumer }) => consumer.requeued,
};

/** The same as columns. */
export const CONSUMER_COUNTS: readonly Column<ConsumerRow>[] = [
  {
    name: "since",
    head: "connectedSince",
    cell: ({ consumer }) => (
      <td class="n">
        <Time atMs={connectedMs(consumer)} />
      </td>
    ),
  },
  { name: "connections", head: "connections", cell: ({ consumer }) => <Count of={consumer.connections} /> },
  {
    name: "nodes",
    head: "nodes",
    cell: ({ nodes, nodesOfChannels, isImbalanced }, { texts }) => (
      <td class="n">
        {texts.common.outOf(whole(nodes), whole(nodesOfChannels))}{" "}
        {isImbalanced && <strong class="mark">{texts.consumers.notOnAll}</strong>}
      </td>
    ),
  },
  { name: "in-flight", head: "inFlight", cell: ({ consumer }) => <Count of={consumer.inFlight} /> },
  { name: "ready", head: "ready", cell: ({ consumer }) => <Count of={consumer.ready} /> },
  { name: "finished", head: "finished", cell: ({ consumer }) => <Count of={consumer.finished} /> },
  { name: "requeued", head: "requeued", cell: ({ consumer }) => <Count of={consumer.requeued} /> },
];

/** Marks who has all in flight that it wants, and has never finished one. */
export function Slow(
  { request: { texts }, is }: { readonly request: PageRequest; readonly is: boolean },
): Markup {
  return <>{is && <strong class="mark">{texts.consumers.slow}</strong>}</>;
}

/** Asks for connections to be ended; `to` says of which channel. */
export function KickButton(
  { request: { texts }, to, consumer }: {
    readonly request: PageRequest;
    readonly to: string;
    readonly consumer: Omit<KickTarget, "topic" | "channel" | "node"> & { readonly node?: string };
  },
): Markup {
  const { node = "" } = consumer;
  const fields = Object.entries(kickFields({ ...consumer, topic: "", channel: "", node }))
    .flatMap(([name, value]) => value === undefined ? [] : [[name, value] as const]);
  return (
    <ChangeButton to={to} action="kick" danger fields={Object.fromEntries(fields)}>
      {texts.actions.kick}
    </ChangeButton>
  );
}

/** How it is connected, in words; of what not all its connections have, how many do. */
export function attributesOf({ consumers }: Texts, consumer: Consumer): string[] {
  const { connections, versions, identities } = consumer;
  const counted = (text: string, count: number) =>
    count === 0 ? "" : count === connections ? text : consumers.ofConnections(text, count, connections);
  const authorized = authorizedText(consumers, toldOf(consumers, identities).join(", "));
  return [
    ...toldOf(consumers, versions),
    counted("TLS", consumer.tlsConnections),
    counted("deflate", consumer.deflateConnections),
    counted("snappy", consumer.snappyConnections),
    counted(authorized, consumer.authedConnections),
  ].filter((text) => text !== "");
}

/** That it was authorized, and as whom if that is known. */
export function authorizedText(texts: Texts["consumers"], identities: string): string {
  return identities === "" ? texts.authorized : texts.authorizedAs(identities);
}

function toldOf({ others }: Texts["consumers"], names: ReadonlySet<string>): string[] {
  const told = [...names.keys().take(TOLD_MAX)];
  return names.size > told.length ? [...told, others] : told;
}

/** When its oldest connection was made. */
export function connectedMs({ connectedS }: Consumer): number {
  return Math.min(Math.max(connectedS, 0), SECOND_MAX) * 1000;
}
