/**
 * Parts that several pages have.
 *
 * @module
 */

import type { Failure } from "../../cluster/asked.ts";
import { whole } from "./figures.ts";
import { type Content, type Markup, NOTHING } from "./markup.ts";
import { type PageRequest, queryWith } from "./request.ts";
import type { TablePart, TableView } from "./table.ts";

/** A whole number, with commas. */
export function Count({ of: value }: { readonly of: number }): Markup {
  return <td class="n">{whole(value)}</td>;
}

/** A share, in whole per cent but where it is small; nothing for none. */
export function Percent({ of: value }: { readonly of: number }): Markup {
  const text = value.toLocaleString("en", { maximumSignificantDigits: value < 10 ? 2 : 3 });
  return <td class="n">{value > 0 && `${text} %`}</td>;
}

/** A moment by the wall clock, to the second. */
export function Time({ atMs }: { readonly atMs: number }): Markup {
  const time = new Date(atMs).toISOString();
  return <time datetime={time}>{time.slice(0, 19).replace("T", " ")} UTC</time>;
}

/** What is to be known first, by its name. */
export function Facts(
  { of: facts }: { readonly of: readonly (readonly [name: string, value: string])[] },
): Markup {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Says that something is paused. */
export function Paused(
  { request, is }: { readonly request: PageRequest; readonly is: boolean },
): Markup {
  return <>{is && <strong class="mark">{request.texts.common.paused}</strong>}</>;
}

/** Who has not answered, and why. */
export function Failures(
  { request: { texts }, of: failures, shown, causes, answeredMs = () => undefined }: {
    readonly request: PageRequest;
    readonly of: readonly Failure[];
    readonly shown: string;
    /** Path of the page that says what may be the cause. */
    readonly causes?: string;
    /** When somebody has answered last, by the wall clock; undefined if that is not known. */
    readonly answeredMs?: (failure: Failure) => number | undefined;
  },
): Markup {
  if (failures.length === 0) return NOTHING;
  const listed = failures.slice(0, FAILURES_SHOWN_MAX);
  return (
    <section class="warning" role="alert">
      <h2>{texts.failures.title(failures.length)}</h2>
      <p>
        {shown} {causes !== undefined && <a href={causes}>{texts.failures.cause}</a>}
      </p>
      <ul>
        {listed.map((failure) => (
          <li>
            {texts.failures.reason(
              <code>{failure.daemon.kind} {failure.daemon.address}</code>,
              failure.reason,
              timeAt(answeredMs(failure)),
            )}
          </li>
        ))}
        {failures.length > listed.length && <li>{texts.common.more(failures.length - listed.length)}</li>}
      </ul>
    </section>
  );
}

function timeAt(atMs: number | undefined): Markup | undefined {
  return atMs === undefined ? undefined : <Time atMs={atMs} />;
}

const FAILURES_SHOWN_MAX = 20;

/** A button that asks for a change, of the page that it is on or of another. */
export function ChangeButton(
  { action, to, danger = false, fields = {}, hotkey, children }: {
    readonly action: string;
    /** The key that asks for it; undefined for none. */
    readonly hotkey?: string;
    /** Path of the page that makes the change. */
    readonly to: string;
    /** What it does cannot be undone: it is asked about first. */
    readonly danger?: boolean;
    readonly fields?: Readonly<Record<string, string>>;
    readonly children?: Content;
  },
): Markup {
  return (
    <form method="post" action={to}>
      {Object.entries(fields).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <button
        type="submit"
        name="action"
        value={danger ? `ask-${action}` : action}
        class={danger ? "danger" : "plain"}
        data-key={hotkey}
      >
        {children}
      </button>
    </form>
  );
}

/** What can be done on all nodes with a topic, or with a channel. */
export function ActionsOnAllNodes(
  { request: { may, texts: { actions } }, to, paused }: {
    readonly request: PageRequest;
    readonly to: string;
    readonly paused: boolean;
  },
): Markup {
  if (!may("change")) return NOTHING;
  return (
    <div class="actions" role="group" aria-label={actions.onAllNodes}>
      {may("pause") && (
        <ChangeButton to={to} action={paused ? "unpause" : "pause"} hotkey="p">
          {paused ? actions.unpause : actions.pause}
        </ChangeButton>
      )}
      {may("empty") && <ChangeButton to={to} action="empty" danger>{actions.empty}</ChangeButton>}
      {may("delete") && <ChangeButton to={to} action="delete" danger>{actions.delete}</ChangeButton>}
    </div>
  );
}

/** What can be done with a topic, or with a channel, on one node only. */
export function ActionsOnNode(
  { request: { may, texts: { actions } }, to, of: { node, paused } }: {
    readonly request: PageRequest;
    readonly to: string;
    readonly of: { readonly node: string; readonly paused: boolean };
  },
): Markup {
  return (
    <>
      {may("pause") && (
        <ChangeButton to={to} action={paused ? "unpause" : "pause"} fields={{ node }}>
          {paused ? actions.unpauseHere : actions.pauseHere}
        </ChangeButton>
      )}
      {may("empty") && (
        <ChangeButton to={to} action="empty" danger fields={{ node }}>{actions.emptyHere}</ChangeButton>
      )}
    </>
  );
}

/** Asks for the topic to be taken off one node. */
export function TakeOffButton(
  { request, topic, node }: {
    readonly request: PageRequest;
    readonly topic: string;
    readonly node: string;
  },
): Markup {
  return (
    <ChangeButton to={request.paths.topic(topic)} action="tombstone" danger fields={{ node }}>
      {request.texts.actions.takeOff}
    </ChangeButton>
  );
}

/** The head of a row about a node. */
export function NodeHead(
  { request, of: { node, hostname, paused } }: {
    readonly request: PageRequest;
    readonly of: { readonly node: string; readonly hostname: string; readonly paused: boolean };
  },
): Markup {
  return (
    <th scope="row" class="name">
      <a href={request.paths.node(node)}>{hostname}</a> <span class="quiet">{node}</span>{" "}
      <Paused request={request} is={paused} />
    </th>
  );
}

/** The only row of a table that has none. */
export function EmptyRow(
  { columns, children }: { readonly columns: number; readonly children?: Content },
): Markup {
  return (
    <tr>
      <td colspan={columns}>{children}</td>
    </tr>
  );
}

/** The head of a column by which the table can be sorted. */
export function SortHead(
  { request, view, column, children }: {
    readonly request: PageRequest;
    readonly view: TableView;
    readonly column: string;
    readonly children?: Content;
  },
): Markup {
  const isSorted = view.sort === column;
  // Numbers are wanted the largest first.
  const descends = isSorted ? !view.descending : column !== "name";
  const sort = descends ? `-${column}` : column;
  return (
    <th
      scope="col"
      class={column === "name" ? "name" : "n"}
      aria-sort={isSorted ? view.descending ? "descending" : "ascending" : undefined}
    >
      <a href={queryWith(request.query, { sort, page: "" })}>{children}</a>
    </th>
  );
}

/** What a table is filtered by, and its pages. */
export function TableControls<Row>(
  { request, view, part, what }: {
    readonly request: PageRequest;
    readonly view: TableView;
    readonly part: TablePart<Row>;
    /** What the rows are. */
    readonly what: string;
  },
): Markup {
  const { count, countInAll, page, pages } = part;
  const { table } = request.texts;
  return (
    <form method="get" class="controls" role="search">
      <label>
        {table.filter} <input type="search" name="filter" value={view.filter} autocomplete="off" />
      </label>
      {view.sort !== "name" && (
        <input type="hidden" name="sort" value={`${view.descending ? "-" : ""}${view.sort}`} />
      )}
      <button type="submit" class="plain">{table.show}</button>
      <span>{table.shown(count, countInAll, what)}</span>
      <PageLinks request={request} page={page} pages={pages} />
    </form>
  );
}

/** Where the other pages of a table are, if there are any. */
export function PageLinks(
  { request, page, pages }: { readonly request: PageRequest; readonly page: number; readonly pages: number },
): Markup {
  if (pages <= 1) return NOTHING;
  const { table } = request.texts;
  const link = (to: number, text: string) =>
    to >= 1 && to <= pages ? <a href={queryWith(request.query, { page: String(to) })}>{text}</a> : NOTHING;
  return (
    <nav aria-label={table.pages}>
      {link(page - 1, table.back)} {table.page(page, pages)} {link(page + 1, table.next)}
    </nav>
  );
}

/** A table that may be wider than the window. */
export function Table(
  { caption, children }: { readonly caption: string; readonly children?: Content },
): Markup {
  return (
    <div class="wide" tabindex="0" role="region" aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        {children}
      </table>
    </div>
  );
}
