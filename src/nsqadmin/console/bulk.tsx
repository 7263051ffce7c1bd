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
import { BULK_MAX, type BulkGo, type BulkItem } from "../bulk.ts";
import { BULK_ACTIONS, type BulkAction } from "../bulk_words.ts";
import { authorOf, rightFor } from "../changes.ts";
import type { AdminContext } from "../context.ts";
import type { Series } from "../watch/series.ts";
import { type BulkTable, goText, tableOf, targetText } from "./bulk_form.tsx";
import { type FormAnswer, formText, pairsOf } from "./change_pages.tsx";
import { channelsFound } from "./channels.tsx";
import { exported, ExportLinks, type Fields, fileOf } from "./export.tsx";
import { whole } from "./figures.ts";
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
    go.stop("canceled");
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
  const { texts, texts: { bulk } } = request;
  const title = goText(texts, go);
  const state = isRunning ? go.isStopped ? "stopping" : "running" : left > 0 ? "stopped" : "ended";
  return (
    <Layout request={request} title={title} live={isRunning}>
      <h1>{title}</h1>
      <p role="status" class={isRunning ? undefined : failed + left === 0 ? "done" : "warning"}>
        {bulk[state]}
        {go.problem !== undefined && ` ${bulk.stoppedBecause(go.problemIn(bulk.words) ?? "")}`}
      </p>
      <Facts
        of={[
          [bulk.done, whole(done)],
          [bulk.failed, whole(failed)],
          [bulk.left, whole(left)],
        ]}
      />
      <p class="quiet">
        {bulk.begun(go.author.user ?? bulk.somebody, go.author.address, <Time atMs={go.begun.wallMs} />)}
      </p>
      {isRunning && (
        <p>
          <a href={request.paths.bulkGo(go.id)}>{bulk.again}</a>
        </p>
      )}
      {request.may(rightFor({ kind: go.action })) && (
        <form method="post" action={request.paths.bulkGo(go.id)} class="actions">
          {isRunning && (
            <button type="submit" name="action" value="stop" class="plain" disabled={go.isStopped}>
              {bulk.stop}
            </button>
          )}
          {!isRunning && failed + left > 0 && (
            <button type="submit" name="action" value="again" class="plain">
              {bulk.tryAgain}
            </button>
          )}
        </form>
      )}
      {failed > 0 && <FailedTable request={request} go={go} />}
      <ExportLinks request={request} />
      <p>
        <a href={TABLES[table].pathOf(request)}>{bulk.backTo[table]}</a>
      </p>
    </Layout>
  );
}

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
  const { texts: { bulk, columns, common } } = request;
  const failed = go.items.filter(({ outcome }) => outcome?.isDone === false);
  const shown = failed.slice(0, FAILED_SHOWN_MAX);
  return (
    <>
      <Table caption={bulk.caption}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.name}</th>
            <th scope="col" class="n">{columns.daemonsDone}</th>
            <th scope="col">{columns.daemonsNotDone}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ target, outcome }) => (
            <tr>
              <th scope="row" class="name">
                <a href={pathOf(request, target)}>{targetText(target)}</a>
              </th>
              <td class="n">{outcome && whole(outcome.doneCount)}</td>
              <td class="name">
                <ul>
                  {outcome?.failures.map(({ daemon, reason }) => (
                    <li>
                      <code>{daemon.kind} {daemon.address}</code>: {reason}
                    </li>
                  ))}
                  {outcome !== undefined && outcome.failedCount > outcome.failures.length && (
                    <li>{common.more(outcome.failedCount - outcome.failures.length)}</li>
                  )}
                </ul>
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      {failed.length > shown.length && <p>{common.more(failed.length - shown.length)}</p>}
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
  const { bulk, common } = request.texts;
  const asked = bulk[action];
  const what = asked.what(bulk[table](targets.length));
  const back = queryWith(new Map(), { filter: query.get("filter") ?? "", sort: query.get("sort") ?? "" });
  return (
    <Layout request={request} title={bulk.question(what)}>
      <h1>{bulk.question(what)}</h1>
      {isMistyped && <p class="warning" role="alert">{bulk.wrongNumber}</p>}
      <p>{asked[table]} {bulk.onlyListed}</p>
      {leftOut > 0 && <p class="warning">{bulk.leftOut(leftOut, BULK_MAX)}</p>}
      <div class="names" tabindex="0" role="region" aria-label={bulk.listed}>
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
            {bulk.typeNumber(targets.length)}{" "}
            <input type="text" name="count" inputmode="numeric" required autocomplete="off" autofocus />
          </label>
        )}
        <button type="submit" name="action" value={action} class={isTyped(action) ? "danger" : "plain"}>
          {what}
        </button>
        <a href={TABLES[table].pathOf(request) + back}>{common.doNot}</a>
      </form>
    </Layout>
  );
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

function numbersOf({ admin, texts }: PageRequest, { topic, channel }: Target): string {
  const series = admin.poller.find(topic, channel === "" ? undefined : channel);
  if (series === undefined) return "";
  return texts.bulk.numbers(series.sum("depth"), series.sum("consumers"));
}

function pathOf({ paths }: PageRequest, { topic, channel }: Target): string {
  return channel === "" ? paths.topic(topic) : paths.channel(topic, channel);
}
