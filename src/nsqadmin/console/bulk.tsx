/**
 * Changes of many topics or channels at once: what is to be changed is listed and asked about; then a page shows how far it
 * has come, what has failed where and why, and tries that again.
 *
 * The list is in the form by which somebody says yes: what was not on the page is not changed.
 *
 * @module
 */

import { inSlices } from "../../base/time_slice.ts";
import { SYSTEM_TIMERS, within } from "../../base/timers.ts";
import type { Target } from "../../cluster/cluster_actions.ts";
import type { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { requireRight } from "../access.ts";
import { BULK_ACTIONS, BULK_MAX, type BulkAction, type BulkGo, type BulkItem } from "../bulk.ts";
import { authorOf, rightFor } from "../changes.ts";
import type { AdminContext } from "../context.ts";
import type { Series } from "../watch/series.ts";
import { BULK_WORDS, type BulkTable, countText, goText, tableOf, targetText } from "./bulk_form.tsx";
import { type FormAnswer, formText, pairsOf } from "./change_pages.tsx";
import { channelsFound } from "./channels.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { topicsFound } from "./overview.tsx";
import { Facts, Table, Time } from "./parts.tsx";
import { type PageRequest, queryWith } from "./request.ts";

/** Rows that tell of what has failed. */
const FAILED_SHOWN_MAX = 100;

/** What may be changed many at once. */
const TABLES: Readonly<
  Record<BulkTable, {
    readonly pathOf: (request: PageRequest) => string;
    /** Those that the filter of a query lets through, in the order of its table. */
    readonly found: (request: PageRequest, query: ReadonlyMap<string, string>) => Promise<readonly Series[]>;
  }>
> = {
  topics: { pathOf: ({ paths }) => paths.overview, found: topicsFound },
  channels: { pathOf: ({ paths }) => paths.channels, found: channelsFound },
};

/** What is to be changed. */
interface Wanted {
  readonly action: BulkAction;
  readonly table: BulkTable;
  readonly targets: readonly Target[];
  /** As the table is looked at. */
  readonly query: ReadonlyMap<string, string>;
}

/** `POST /bulk`: asks, or does it when it was asked. */
export async function submitBulk(request: PageRequest): Promise<FormAnswer> {
  const { context, admin } = request;
  requireRight(admin, context, "change");
  const pairs = pairsOf(await formText(context));
  const form: ReadonlyMap<string, string> = new Map(pairs);
  const asked = form.get("action") ?? "";
  const action = BULK_ACTIONS.find((each) => each === asked.replace(/^ask-/, ""));
  const table = form.get("of") ?? "";
  if (action === undefined || !isTable(table)) throw new HttpError(400, "INVALID_ACTION");
  requireRight(admin, context, rightFor({ kind: action }));
  const names = pairs.flatMap(([name, value]) => name === "name" ? value : []);
  if (names.length > BULK_MAX) throw new HttpError(400, "TOO_MANY_NAMES");
  const named = [...new Set(names)].map((name) => targetOf(table, name));
  if (asked.startsWith("ask-")) {
    const isAll = form.get("which") === "found";
    const found = isAll ? await possibleTargets(request, { table, action, query: form }) : named;
    if (found.length === 0) throw new HttpError(400, isAll ? "NOTHING_FOUND" : "NOTHING_TICKED");
    const wanted: Wanted = { action, table, targets: found.slice(0, BULK_MAX), query: form };
    return {
      status: 200,
      page: <AskPage request={request} wanted={wanted} leftOut={found.length - wanted.targets.length} />,
    };
  }
  if (named.length === 0) throw new HttpError(400, "NOTHING_TICKED");
  const wanted: Wanted = { action, table, targets: named, query: form };
  if (isTyped(action) && (form.get("count") ?? "").replace(/[\s,.]/g, "") !== String(named.length)) {
    return { status: 400, page: <AskPage request={request} wanted={wanted} isMistyped /> };
  }
  return await started(request, action, named.map((target) => ({ target, rest: undefined })));
}

/** `POST /bulk/:go`: stops it, or tries again what has failed. */
export async function submitBulkGo(request: PageRequest): Promise<FormAnswer> {
  const { context, admin } = request;
  requireRight(admin, context, "change");
  const go = goOf(request);
  requireRight(admin, context, rightFor({ kind: go.action }));
  const action = new Map(pairsOf(await formText(context))).get("action");
  if (action === "stop") {
    go.isStopped = true;
    await quickly(admin, go);
    return { location: request.paths.bulkGo(go.id) };
  }
  if (action !== "again" || go.ended === undefined) throw new HttpError(400, "INVALID_ACTION");
  return await started(request, go.action, go.remaining);
}

/** `GET /bulk/:go` */
export async function bulkPage(request: PageRequest): Promise<Markup | Answer> {
  const go = goOf(request);
  const file = exported(request, { bulk: fileOf(go.items, FIELDS) }, []);
  if (file) return await file;
  const { done, failed, left } = go.counts;
  const isRunning = go.ended === undefined;
  const table = tableOf(go);
  const title = goText(go);
  const state = isRunning ? go.isStopped ? "stopping" : "running" : left > 0 ? "stopped" : "ended";
  return (
    <Layout request={request} title={title} live={isRunning}>
      <h1>{title}</h1>
      <p role="status" class={isRunning ? undefined : failed + left === 0 ? "done" : "warning"}>
        {STATES[state]}
        {go.problem !== undefined && ` It was stopped: ${go.problem}.`}
      </p>
      <Facts
        of={[
          ["done", done.toLocaleString("en")],
          ["failed", failed.toLocaleString("en")],
          ["not begun", left.toLocaleString("en")],
        ]}
      />
      <p class="quiet">
        Begun by {go.author.user ?? "somebody"} at {go.author.address}, <Time atMs={go.begun.wallMs} />.
      </p>
      {isRunning && (
        <p>
          <a href={request.paths.bulkGo(go.id)}>Look again</a>
        </p>
      )}
      {request.may(rightFor({ kind: go.action })) && (
        <form method="post" action={request.paths.bulkGo(go.id)} class="actions">
          {isRunning && (
            <button type="submit" name="action" value="stop" class="plain" disabled={go.isStopped}>
              Stop
            </button>
          )}
          {!isRunning && failed + left > 0 && (
            <button type="submit" name="action" value="again" class="plain">
              Try again what is not done
            </button>
          )}
        </form>
      )}
      {failed > 0 && <FailedTable request={request} go={go} />}
      <ExportLinks request={request} />
      <p>
        <a href={TABLES[table].pathOf(request)}>Go on to all {table}</a>
      </p>
    </Layout>
  );
}

const STATES = {
  running: "It is being done. This page need not stay open.",
  stopping: "Nothing further is begun; what is under way is still done.",
  stopped: "It was stopped before all was done.",
  ended: "All of it was tried.",
} as const;

/** What became of each, in a file. */
const FIELDS: Fields<BulkItem> = {
  topic: ({ target }) => target.topic,
  channel: ({ target }) => target.channel,
  outcome: ({ outcome }) => outcome === undefined ? "not begun" : outcome.isDone ? "done" : "failed",
  "done-by": ({ outcome }) => outcome?.doneCount,
  "failed-at": ({ outcome }) => outcome?.failedCount,
  reasons: ({ outcome }) =>
    outcome?.failures.map(({ daemon: { kind, address }, reason }) => `${kind} ${address}: ${reason}`).join(
      "; ",
    ),
};

function FailedTable({ request, go }: { readonly request: PageRequest; readonly go: BulkGo }): Markup {
  const failed = go.items.filter(({ outcome }) => outcome?.isDone === false);
  const shown = failed.slice(0, FAILED_SHOWN_MAX);
  return (
    <>
      <Table caption="What has failed">
        <thead>
          <tr>
            <th scope="col" class="name">Name</th>
            <th scope="col" class="n">Daemons that have done it</th>
            <th scope="col">Those that have not</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ target, outcome }) => (
            <tr>
              <th scope="row" class="name">
                <a href={pathOf(request, target)}>{targetText(target)}</a>
              </th>
              <td class="n">{outcome?.doneCount.toLocaleString("en")}</td>
              <td class="name">
                <ul>
                  {outcome?.failures.map(({ daemon, reason }) => (
                    <li>
                      <code>{daemon.kind} {daemon.address}</code>: {reason}
                    </li>
                  ))}
                  {outcome !== undefined && outcome.failedCount > outcome.failures.length && (
                    <li>and {(outcome.failedCount - outcome.failures.length).toLocaleString("en")} more</li>
                  )}
                </ul>
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      {failed.length > shown.length && <p>and {(failed.length - shown.length).toLocaleString("en")} more</p>}
    </>
  );
}

function AskPage(
  { request, wanted, leftOut = 0, isMistyped = false }: {
    readonly request: PageRequest;
    readonly wanted: Wanted;
    /** Those that are too many for one go. */
    readonly leftOut?: number;
    readonly isMistyped?: boolean;
  },
): Markup {
  const { action, table, targets, query } = wanted;
  const what = countText(table, targets.length);
  const back = queryWith(new Map(), { filter: query.get("filter") ?? "", sort: query.get("sort") ?? "" });
  return (
    <Layout request={request} title={`${BULK_WORDS[action]} ${what}?`}>
      <h1>{BULK_WORDS[action]} {what}?</h1>
      {isMistyped && <p class="warning" role="alert">Nothing was done: that is not their number.</p>}
      <p>{meaningOf(action, table)} It is done with what is listed here, and with nothing else.</p>
      {leftOut > 0 && (
        <p class="warning">
          {leftOut.toLocaleString("en")} more are left for another time: in one go it is{" "}
          {BULK_MAX.toLocaleString("en")} at most, the first in the table's order.
        </p>
      )}
      <div class="names" tabindex="0" role="region" aria-label="What it is done with">
        <ul>
          {targets.map((target) => (
            <li>
              {targetText(target)} <span class="quiet">{numbersOf(request, target)}</span>
            </li>
          ))}
        </ul>
      </div>
      <form method="post" action={request.paths.bulk} class="controls">
        <input type="hidden" name="of" value={table} />
        <input type="hidden" name="filter" value={query.get("filter") ?? ""} />
        <input type="hidden" name="sort" value={query.get("sort") ?? ""} />
        {targets.map((target) => <input type="hidden" name="name" value={targetText(target)} />)}
        {isTyped(action) && (
          <label>
            To say yes, type how many these are, {targets.length}:{" "}
            <input type="text" name="count" inputmode="numeric" required autocomplete="off" autofocus />
          </label>
        )}
        <button type="submit" name="action" value={action} class={isTyped(action) ? "danger" : "plain"}>
          {BULK_WORDS[action]} {what}
        </button>
        <a href={TABLES[table].pathOf(request) + back}>Do not</a>
      </form>
    </Layout>
  );
}

function meaningOf(action: BulkAction, table: BulkTable): string {
  switch (action) {
    case "pause":
      return "On all nodes, messages are kept until it goes on.";
    case "unpause":
      return "On all nodes, messages flow again.";
    case "empty":
      return table === "topics"
        ? "Messages that wait in the topics themselves are dropped, on all nodes; what their channels have stays."
        : "Messages that wait in them are dropped, on all nodes.";
    case "delete":
      return "They are deleted on all nodes, with the messages that wait in them. Consumers of them are cut off.";
  }
}

/** What cannot be undone takes more than a click. */
function isTyped(action: BulkAction): boolean {
  return action === "empty" || action === "delete";
}

/** What there is to be changed: of what is to be paused, such as is not, and the other way round. */
async function possibleTargets(
  request: PageRequest,
  { table, action, query }: {
    readonly table: BulkTable;
    readonly action: BulkAction;
    readonly query: ReadonlyMap<string, string>;
  },
): Promise<Target[]> {
  const targets: Target[] = [];
  await inSlices(await TABLES[table].found(request, query), (series) => {
    const paused = series.sum("paused");
    if (action === "pause" && paused >= series.nodes || action === "unpause" && paused === 0) return;
    const { name, topic } = series;
    const target = topic === undefined ? { topic: name, channel: "" } : { topic: topic.name, channel: name };
    // Whatever nodes say: others would be refused.
    if (isTarget(target)) targets.push(target);
  });
  return targets;
}

/** Begins, and waits a little: few are soon done. */
async function started(
  request: PageRequest,
  action: BulkAction,
  items: readonly Omit<BulkItem, "outcome">[],
): Promise<FormAnswer> {
  const { admin, context } = request;
  const go = admin.bulk.start({ action, author: authorOf(admin, context), items });
  if (go === undefined) throw new HttpError(503, "TOO_MANY_CHANGES");
  await quickly(admin, go);
  return { location: request.paths.bulkGo(go.id) };
}

/** Waits for what may be done at once. */
async function quickly({ waits }: AdminContext, { finished }: BulkGo): Promise<void> {
  await within(SYSTEM_TIMERS, waits.bulkMs, finished);
}

/** @throws {HttpError} 404 */
function goOf({ admin, context }: PageRequest): BulkGo {
  const go = admin.bulk.find(context.params.go);
  if (go === undefined) throw new HttpError(404, "NO_SUCH_GO");
  return go;
}

/** @throws {HttpError} 400 */
function targetOf(table: BulkTable, name: string): Target {
  const [topic, channel = "", ...more] = name.split("/");
  const target = { topic, channel };
  if (more.length > 0 || !isTarget(target) || (channel !== "") !== (table === "channels")) {
    throw new HttpError(400, "INVALID_NAME");
  }
  return target;
}

function isTarget({ topic, channel }: Target): boolean {
  return isValidTopicName(topic) && (channel === "" || isValidChannelName(channel));
}

function isTable(text: string): text is BulkTable {
  return Object.hasOwn(TABLES, text);
}

function numbersOf({ admin }: PageRequest, { topic, channel }: Target): string {
  const series = admin.poller.find(topic, channel === "" ? undefined : channel);
  if (series === undefined) return "";
  const [waiting, consumers] = [series.sum("depth"), series.sum("consumers")];
  return `${waiting.toLocaleString("en")} waiting, ${consumers.toLocaleString("en")} consumers`;
}

function pathOf({ paths }: PageRequest, { topic, channel }: Target): string {
  return channel === "" ? paths.topic(topic) : paths.channel(topic, channel);
}
