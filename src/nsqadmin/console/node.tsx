/**
 * One node: how it is, what becomes of its messages when it is stopped, how it was, and everything that it has.
 *
 * @module
 */

import type { NodeFacts } from "../../cluster/node_facts.ts";
import type { Answer } from "../../http/answer.ts";
import type { NodeTotals } from "../watch/node_numbers.ts";
import type { WatchedNode } from "../watch/watched_node.ts";
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
import type { Texts } from "./texts/texts.ts";

const CHARTS = [
  ["waiting", "waitingOfNode"],
  ["inRate", "inRate"],
  ["outRate", "channelsFinishedRate"],
  ["memory", "heap", bytesText],
] as const;

const MS_PER_S = 1000;
/** Other versions that are named. */
const VERSIONS_SHOWN_MAX = 5;

/** `GET /nodes/:node` */
export async function nodePage(request: PageRequest): Promise<Markup | Answer> {
  const { admin: { poller }, texts, texts: { columns } } = request;
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
    <Layout request={request} title={texts.node.title(address)} live>
      <h1>{texts.node.heading(watched === undefined ? address : `${watched.node.hostname} (${address})`)}</h1>
      <ClusterNews request={request} />
      {watched === undefined ? <p>{texts.node.notThere}</p> : (
        <>
          <About request={request} of={watched} />
          <StopAdvice request={request} of={watched} />
          <Charts request={request} history={poller.nodeHistory} of={watched} fields={CHARTS} />
          <GraphiteLinks request={request} of={["mem"]} node={address} metrics={NODE_METRICS} />
          <TableControls
            request={request}
            view={view}
            part={part}
            what={texts.topics.count(part.countInAll)}
          />
          <Table caption={texts.node.caption}>
            <thead>
              <tr>
                <SortHead {...head} column="name">{columns.topic}</SortHead>
                <SortHead {...head} column="depth">{columns.depth}</SortHead>
                <SortHead {...head} column="channel-depth">{columns.deepestChannel}</SortHead>
                <SortHead {...head} column="in">{columns.inRate}</SortHead>
                <SortHead {...head} column="out">{columns.outRate}</SortHead>
                <SortHead {...head} column="in-flight">{columns.inFlight}</SortHead>
                <SortHead {...head} column="deferred">{columns.deferred}</SortHead>
                <SortHead {...head} column="messages">{columns.messages}</SortHead>
                <SortHead {...head} column="consumers">{columns.consumers}</SortHead>
                {request.may("tombstone") && <th scope="col">{columns.actions}</th>}
              </tr>
            </thead>
            <tbody>
              {part.rows.map((row) => (
                <tr>
                  <th scope="row" class="name">
                    <a href={request.paths.topic(row.name)}>{row.name}</a>{" "}
                    <Paused request={request} is={row.paused} />{" "}
                    {tombstoned.has(row.name) && <strong class="mark">{texts.node.tombstoned}</strong>}
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
                  {watched.numbers === undefined ? texts.node.noAnswer : texts.common.none}
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
  const { texts } = request;
  const cause = reason === undefined ? undefined : likelyCause(texts, reason);
  const heard = answered === undefined ? texts.common.never : agoOf(request, answered.monotonicMs);
  return (
    <>
      <p>
        {texts.node.about(node.version, node.tcp_port, texts.node.states[state], heard)}{" "}
        {skewText(request, watched)}
      </p>
      {cause !== undefined && <p class="warning">{cause}</p>}
      {gone !== undefined && request.may("forget") && (
        <div class="actions">
          <ForgetButton request={request} node={watched.address} />
        </div>
      )}
      {facts !== undefined && facts.health !== "" && facts.health !== "OK" && (
        <p class="warning">{texts.node.notWell(facts.health)}</p>
      )}
      {facts !== undefined && facts.startTimeS > 0 && (
        <p>{texts.node.started(<Time atMs={facts.startTimeS * MS_PER_S} />)}</p>
      )}
      <Facts of={factsOf(request, watched).filter(([, value]) => value !== "")} />
    </>
  );
}

/** What other versions there are; nothing if there are none. */
function skewText({ admin: { poller }, texts }: PageRequest, { node, gone }: WatchedNode): string {
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
  const versions = named.map(([version, count]) => `v${version} (${whole(count)})`).join(", ");
  const others = counts.size - named.length;
  return texts.node.otherVersions(others > 0 ? texts.node.versionsAndMore(versions, others) : versions);
}

function factsOf(request: PageRequest, watched: WatchedNode): (readonly [name: string, value: string])[] {
  const { numbers } = watched;
  if (numbers === undefined) return [];
  const { totals, facts } = numbers;
  const { memory, own } = facts ?? {};
  const { texts, texts: { facts: names } } = request;
  return [
    [names.waiting, whole(totals.waiting)],
    [names.inFlight, whole(totals.inFlight)],
    [names.deferred, whole(totals.deferred)],
    [names.inRate, rounded(totals.inRate)],
    [names.outRate, rounded(totals.outRate)],
    [names.consumers, whole(totals.consumers)],
    [names.runsFor, runsFor(request, watched)],
    [names.heap, bytesText(memory?.inUseBytes)],
    [names.process, bytesText(own?.residentBytes)],
    [names.objects, memory === undefined || memory.objects === 0 ? "" : whole(memory.objects)],
    ...gcFacts(texts, memory),
    [names.freeOnDisk, diskText(texts, own)],
    [names.gossip, gossipText(texts, facts?.gossip)],
  ];
}

/** Of the collector; nothing where the runtime does not tell of it. */
function gcFacts(
  { facts: names }: Texts,
  memory: NodeFacts["memory"] | undefined,
): (readonly [name: string, value: string])[] {
  if (memory === undefined || memory.gcRuns === 0) return [];
  return [
    [names.collections, whole(memory.gcRuns)],
    [names.pauses99, rounded(memory.gcPause99Us)],
    [names.pauseMax, rounded(memory.gcPauseMaxUs)],
  ];
}

function diskText({ common }: Texts, own: NodeFacts["own"]): string {
  const { freeBytes, sizeBytes } = own ?? {};
  return freeBytes === undefined || sizeBytes === undefined
    ? ""
    : common.outOf(bytesText(freeBytes) || "0 B", bytesText(sizeBytes));
}

/** Whether it can be stopped, in plain words, and what would be missing then. */
function StopAdvice(
  { request, of: watched }: { readonly request: PageRequest; readonly of: WatchedNode },
): Markup {
  const { numbers, state, address } = watched;
  const { texts, texts: { stop } } = request;
  if (numbers === undefined || state === "gone") return NOTHING;
  const own = numbers.facts?.own;
  const canDrain = own !== undefined && own.store !== "kv" && own.state !== "draining" &&
    request.may("drain");
  return (
    <section>
      <h2>{stop.title}</h2>
      <ul>
        {stopTexts(texts, numbers.totals, own).map((text) => <li>{text}</li>)}
        {state !== "up" && <li>{stop.asOfLastAnswer}</li>}
      </ul>
      {own?.drain !== undefined && <p>{drainText(texts, own.drain)}</p>}
      {canDrain && (
        <div class="actions">
          <ChangeButton to={request.paths.node(address)} action="drain" danger>
            {texts.actions.drain}
          </ChangeButton>
        </div>
      )}
    </section>
  );
}

function drainText(
  { stop }: Texts,
  { messagesLeft, secondsLeft }: NonNullable<NonNullable<NodeFacts["own"]>["drain"]>,
): string {
  return secondsLeft === undefined
    ? stop.drained(messagesLeft)
    : stop.drainedBy(messagesLeft, durationText(secondsLeft * MS_PER_S));
}

/** What becomes of the messages of a node that is stopped. */
export function stopTexts({ stop }: Texts, totals: NodeTotals, own: NodeFacts["own"]): string[] {
  const { waiting, inFlight, deferred, inMemory, ephemeral } = totals;
  if (own?.store === "kv") {
    return [stop.othersHaveThem];
  }
  const all = waiting + inFlight + deferred;
  if (all === 0) return [stop.noMessage];
  if (own?.store === "memory") {
    return [stop.inMemoryOnly(all)];
  }
  const texts = [ephemeral === 0 ? stop.nothingIsLost : stop.ephemeralAreLost(ephemeral)];
  const kept = all - ephemeral;
  if (kept > 0) texts.push(stop.waitForIt(kept));
  // What consumers have, and what is deferred, is in the memory of NSQ's nsqd; of ours that is for --durability to say.
  const held = own === undefined ? inFlight + deferred : 0;
  const risky = Math.min(inMemory + held, kept);
  if (risky > 0) texts.push(stop.notOnDisk(risky));
  return texts;
}
