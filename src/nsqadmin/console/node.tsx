/**
 * One node: how it is, what becomes of its messages when it is stopped, how it was, and everything that it has.
 *
 * @module
 */

import type { NodeFacts } from "../../cluster/node_facts.ts";
import type { Answer } from "../../http/answer.ts";
import type { NodeTotals } from "../watch/node_numbers.ts";
import type { NodeState, WatchedNode } from "../watch/watched_node.ts";
import { Charts } from "./charts.tsx";
import { ForgetButton, gossipText } from "./cluster.tsx";
import { exported, ExportLinks, fileOf } from "./export.tsx";
import { bytesText, durationText, rounded, whole } from "./figures.ts";
import { GraphiteLinks, NODE_METRICS } from "./graphite.tsx";
import { Layout } from "./layout.tsx";
import { likelyCause } from "./likely_cause.ts";
import { type Markup, NOTHING } from "./markup.ts";
import { agoOf, ClusterNews, seen } from "./news.tsx";
import { runsFor } from "./nodes.tsx";
import { DeepestChannel } from "./overview.tsx";
import {
  ChangeButton,
  Count,
  EmptyRow,
  Facts,
  Paused,
  SortHead,
  Table,
  TableControls,
  TakeOffButton,
  Time,
} from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import { tablePart, tableView } from "./table.ts";
import { nodeTopicRows, TOPIC_COLUMNS, TOPIC_FIELDS } from "./topic_rows.ts";

const STATE_WORDS: Readonly<Record<NodeState, string>> = {
  up: "answers",
  new: "has not been asked yet",
  late: "is late",
  failing: "does not answer",
  gone: "is gone",
};

const CHARTS = [
  ["waiting", "Waiting, in topics and channels"],
  ["inRate", "In, messages in a second"],
  ["outRate", "Finished by channels in a second"],
  ["memory", "Memory of the heap", bytesText],
] as const;

const MS_PER_S = 1000;
/** Other versions that are named. */
const VERSIONS_SHOWN_MAX = 5;

/** `GET /nodes/:node` */
export async function nodePage(request: PageRequest): Promise<Markup | Answer> {
  const { poller } = request.admin;
  const address = request.context.params.node;
  await seen(request);
  const watched = poller.node(address);
  const rows = watched?.numbers === undefined ? [] : nodeTopicRows(watched.numbers);
  const view = tableView(request.query, TOPIC_COLUMNS);
  const part = await tablePart(rows, view, { columns: TOPIC_COLUMNS, nameOf: ({ name }) => name });
  const tables = { topics: fileOf(part.found, TOPIC_FIELDS) };
  const file = exported(request, tables, poller.failures);
  if (file) return await file;
  const head = { request, view };
  const tombstoned = new Set(watched?.node.topics?.flatMap((each) => each.tombstoned ? each.topic : []));
  return (
    <Layout request={request} title={`Node ${address}`} live>
      <h1>Node {watched === undefined ? address : `${watched.node.hostname} (${address})`}</h1>
      <ClusterNews request={request} />
      {watched === undefined ? <p>Nobody who has answered tells of this node.</p> : (
        <>
          <About request={request} of={watched} />
          <StopAdvice request={request} of={watched} />
          <Charts request={request} history={poller.nodeHistory} of={watched} fields={CHARTS} />
          <GraphiteLinks request={request} of={["mem"]} node={address} metrics={NODE_METRICS} />
          <TableControls
            request={request}
            view={view}
            part={part}
            what={part.countInAll === 1 ? "topic" : "topics"}
          />
          <Table caption="Topics of the node">
            <thead>
              <tr>
                <SortHead {...head} column="name">Topic</SortHead>
                <SortHead {...head} column="depth">Depth</SortHead>
                <SortHead {...head} column="channel-depth">Deepest channel</SortHead>
                <SortHead {...head} column="in">In/s</SortHead>
                <SortHead {...head} column="out">Out/s</SortHead>
                <SortHead {...head} column="in-flight">In flight</SortHead>
                <SortHead {...head} column="deferred">Deferred</SortHead>
                <SortHead {...head} column="messages">Messages</SortHead>
                <SortHead {...head} column="consumers">Consumers</SortHead>
                {request.may("tombstone") && <th scope="col">Actions</th>}
              </tr>
            </thead>
            <tbody>
              {part.rows.map((row) => (
                <tr>
                  <th scope="row" class="name">
                    <a href={request.paths.topic(row.name)}>{row.name}</a> <Paused is={row.paused} />{" "}
                    {tombstoned.has(row.name) && <strong class="mark">tombstoned</strong>}
                  </th>
                  <Count of={row.depth} />
                  <DeepestChannel request={request} of={row} />
                  <td class="n">{rounded(row.inRate)}</td>
                  <td class="n">{rounded(row.outRate)}</td>
                  <Count of={row.inFlight} />
                  <Count of={row.deferred} />
                  <Count of={row.messages} />
                  <Count of={row.consumers} />
                  {request.may("tombstone") && (
                    <td>
                      <TakeOffButton request={request} topic={row.name} node={address} />
                    </td>
                  )}
                </tr>
              ))}
              {part.rows.length === 0 && (
                <EmptyRow columns={request.may("tombstone") ? 10 : 9}>
                  {watched.numbers === undefined ? "It has not answered." : "There is none."}
                </EmptyRow>
              )}
            </tbody>
          </Table>
          <ExportLinks request={request} />
        </>
      )}
    </Layout>
  );
}

/** Who it is, how it is, and what it needs. */
function About(
  { request, of: watched }: { readonly request: PageRequest; readonly of: WatchedNode },
): Markup {
  const { node, state, numbers, answered, reason, gone } = watched;
  const facts = numbers?.facts;
  const cause = reason === undefined ? undefined : likelyCause(reason);
  return (
    <>
      <p>
        nsqd v{node.version}, TCP port {node.tcp_port}; it {STATE_WORDS[state]}. It was heard of{" "}
        {answered === undefined ? "never" : agoOf(request, answered.monotonicMs)}.{" "}
        {skewText(request, watched)}
      </p>
      {cause !== undefined && <p class="warning">{cause}</p>}
      {gone !== undefined && request.may("forget") && (
        <div class="actions">
          <ForgetButton request={request} node={watched.address} />
        </div>
      )}
      {facts !== undefined && facts.health !== "" && facts.health !== "OK" && (
        <p class="warning">It says that it is not well: {facts.health}</p>
      )}
      {facts !== undefined && facts.startTimeS > 0 && (
        <p>
          It was started at <Time atMs={facts.startTimeS * MS_PER_S} />.
        </p>
      )}
      <Facts of={factsOf(request, watched).filter(([, value]) => value !== "")} />
    </>
  );
}

/** What other versions there are; nothing if there are none. */
function skewText({ admin: { poller } }: PageRequest, { node, gone }: WatchedNode): string {
  if (gone !== undefined) return "";
  const counts = new Map<string, number>();
  for (const other of poller.nodes) {
    const { version } = other.node;
    if (other.gone === undefined && version !== node.version) {
      counts.set(version, (counts.get(version) ?? 0) + 1);
    }
  }
  if (counts.size === 0) return "";
  const named = [...counts].sort(([, a], [, b]) => b - a).slice(0, VERSIONS_SHOWN_MAX);
  const texts = named.map(([version, count]) => `v${version} (${whole(count)})`);
  const others = counts.size - named.length;
  return `Other nodes are of other versions: ${texts.join(", ")}${others > 0 ? ` and ${others} more` : ""}.`;
}

function factsOf(request: PageRequest, watched: WatchedNode): (readonly [name: string, value: string])[] {
  const { numbers } = watched;
  if (numbers === undefined) return [];
  const { totals, facts } = numbers;
  const { memory, own } = facts ?? {};
  return [
    ["waiting", whole(totals.waiting)],
    ["in flight", whole(totals.inFlight)],
    ["deferred", whole(totals.deferred)],
    ["messages in a second", rounded(totals.inRate)],
    ["finished in a second", rounded(totals.outRate)],
    ["consumers", whole(totals.consumers)],
    ["runs for", runsFor(request, watched)],
    ["memory of the heap", bytesText(memory?.inUseBytes)],
    ["memory of the process", bytesText(own?.residentBytes)],
    ["objects on the heap", memory === undefined || memory.objects === 0 ? "" : whole(memory.objects)],
    ...gcFacts(memory),
    ["free on the disk", diskText(own)],
    ["gossip", gossipText(facts?.gossip)],
  ];
}

/** Of the collector; nothing where the runtime does not tell of it. */
function gcFacts(memory: NodeFacts["memory"] | undefined): (readonly [name: string, value: string])[] {
  if (memory === undefined || memory.gcRuns === 0) return [];
  return [
    ["garbage collections", whole(memory.gcRuns)],
    ["their pauses, 99 %, µs", rounded(memory.gcPause99Us)],
    ["the longest, µs", rounded(memory.gcPauseMaxUs)],
  ];
}

function diskText(own: NodeFacts["own"]): string {
  const { freeBytes, sizeBytes } = own ?? {};
  return freeBytes === undefined || sizeBytes === undefined
    ? ""
    : `${bytesText(freeBytes) || "0 B"} of ${bytesText(sizeBytes)}`;
}

/** Whether it can be stopped, in plain words, and what would be missing then. */
function StopAdvice(
  { request, of: watched }: { readonly request: PageRequest; readonly of: WatchedNode },
): Markup {
  const { numbers, state, address } = watched;
  if (numbers === undefined || state === "gone") return NOTHING;
  const own = numbers.facts?.own;
  const canDrain = own !== undefined && own.store !== "kv" && own.state !== "draining" &&
    request.may("drain");
  return (
    <section>
      <h2>Is it safe to stop?</h2>
      <ul>
        {stopTexts(numbers.totals, own).map((text) => <li>{text}</li>)}
        {state !== "up" && <li>That is as of when it answered last.</li>}
      </ul>
      {own?.drain !== undefined && <p>{drainText(own.drain)}</p>}
      {canDrain && (
        <div class="actions">
          <ChangeButton to={request.paths.node(address)} action="drain" danger>Drain…</ChangeButton>
        </div>
      )}
    </section>
  );
}

function drainText(
  { messagesLeft, secondsLeft }: NonNullable<NonNullable<NodeFacts["own"]>["drain"]>,
): string {
  const until = secondsLeft === undefined
    ? ""
    : ` It ends in ${durationText(secondsLeft * MS_PER_S)} at the latest.`;
  return `It is being drained: ${whole(messagesLeft)} messages are left.${until}`;
}

/** What becomes of the messages of a node that is stopped. */
export function stopTexts(totals: NodeTotals, own: NodeFacts["own"]): string[] {
  const { waiting, inFlight, deferred, inMemory, ephemeral } = totals;
  if (own?.store === "kv") {
    return ["Yes: its messages are in a database, and other instances have them, too."];
  }
  const all = waiting + inFlight + deferred;
  if (all === 0) return ["Yes: there is no message on it."];
  if (own?.store === "memory") {
    return [`No: it keeps messages in memory only, and all ${whole(all)} are lost when it stops.`];
  }
  const texts = [
    ephemeral === 0
      ? "Yes, if it is stopped in order and started again: nothing is lost."
      : `Not quite: ${
        whole(ephemeral)
      } messages are in ephemeral topics and channels, and are lost when it stops.`,
  ];
  const kept = all - ephemeral;
  if (kept > 0) {
    texts.push(`${whole(kept)} messages wait on it until it is started again: nobody else has them.`);
  }
  // What consumers have, and what is deferred, is in the memory of NSQ's nsqd; of ours that is for --durability to say.
  const held = own === undefined ? inFlight + deferred : 0;
  const risky = Math.min(inMemory + held, kept);
  if (risky > 0) {
    texts.push(
      `Up to ${
        whole(risky)
      } of them are in memory only: a stop in order writes them to the disk, and if it is killed they are lost.`,
    );
  }
  return texts;
}
