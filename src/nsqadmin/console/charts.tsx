/**
 * The past of numbers, drawn: a line beside a number that says the same, or a graph with its figures.
 *
 * @module
 */

import type { History, Past, Remembered, Span } from "../watch/history.ts";
import { rounded } from "./figures.ts";
import { type Markup, NOTHING } from "./markup.ts";
import { type PageRequest, queryWith } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

const SPARK = { width: 120, height: 24 };
const CHART = { width: 600, height: 120 };
/** Rows of a graph's figures. */
const FIGURES_MAX = 30;

/** Spans of time, by their names in the URL. */
const SPANS: readonly { readonly name: keyof Texts["charts"]["spans"]; readonly span: Span }[] = [
  { name: "10m", span: 0 },
  { name: "1h", span: 1 },
  { name: "24h", span: 2 },
];

/** A small line. It says nothing to who does not see it: the number is beside it. */
export function Sparkline<Item extends Remembered, Name extends string>(
  { history, series, field }: {
    readonly history: History<Item, Name>;
    readonly series: Item;
    readonly field: Name;
  },
): Markup {
  const { values } = history.past(series, field, 0);
  return (
    <td class="line">
      <svg class="spark" viewbox={boxOf(SPARK)} preserveaspectratio="none" aria-hidden="true">
        <path d={lineOf(values, SPARK, maxOf(values))} />
      </svg>
    </td>
  );
}

/** What a graph is of, and its title. */
export type ChartField<Name extends string> = readonly [
  field: Name,
  title: keyof Texts["charts"]["of"],
  show?: (value: number) => string,
];

/** Graphs of a topic, channel or node, over a span that is chosen by the URL; none if it has no history. */
export function Charts<Item extends Remembered, Name extends string>(
  { request, history, of, fields }: {
    readonly request: PageRequest;
    readonly history: History<Item, Name>;
    readonly of: Item | undefined;
    /** Shown as numbers, unless it is said how. */
    readonly fields: readonly ChartField<Name>[];
  },
): Markup {
  if (!request.admin.options.history || of === undefined) return NOTHING;
  const chosen = SPANS.find(({ name }) => name === request.query.get("span")) ?? SPANS[0];
  const { charts } = request.texts;
  return (
    <section aria-label={charts.title}>
      <nav aria-label={charts.span} class="controls">
        {SPANS.map(({ name }) => (
          <a
            href={queryWith(request.query, { span: name })}
            aria-current={name === chosen.name ? "page" : undefined}
          >
            {charts.spans[name]}
          </a>
        ))}
      </nav>
      <div class="charts">
        {fields.map(([field, title, show = rounded]) => (
          <Chart
            request={request}
            title={charts.of[title]}
            past={history.past(of, field, chosen.span)}
            span={charts.spans[chosen.name]}
            show={show}
          />
        ))}
      </div>
    </section>
  );
}

function Chart(
  { request: { texts: { charts, columns } }, title, past, span, show }: {
    readonly request: PageRequest;
    readonly title: string;
    readonly past: Past;
    readonly span: string;
    readonly show: (value: number) => string;
  },
): Markup {
  const known = past.values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) {
    return (
      <figure>
        <figcaption>{charts.nothingYet(title, span)}</figcaption>
      </figure>
    );
  }
  const max = maxOf(known);
  const last = known[known.length - 1];
  return (
    <figure>
      <figcaption>
        {charts.value(title, show(last))} <span class="quiet">{charts.atMost(show(max))}</span>
      </figcaption>
      <svg class="chart" viewbox={boxOf(CHART)} preserveaspectratio="none" aria-hidden="true">
        <path d={lineOf(past.values, CHART, max)} />
      </svg>
      <details>
        <summary>{charts.figures(title, (text) => <span class="hidden">{text}</span>)}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{columns.timeUtc}</th>
              <th scope="col" class="n">{title}</th>
            </tr>
          </thead>
          <tbody>
            {figuresOf(past).map(({ timeMs, value }) => (
              <tr>
                <th scope="row">{new Date(timeMs).toISOString().slice(0, 19).replace("T", " ")}</th>
                <td class="n">{Number.isNaN(value) ? "" : show(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

/** Every so many of a graph's points, the newest first. */
function figuresOf({ timesMs, values }: Past): { readonly timeMs: number; readonly value: number }[] {
  const step = Math.max(1, Math.ceil(values.length / FIGURES_MAX));
  const figures = [];
  for (let i = values.length - 1; i >= 0; i -= step) figures.push({ timeMs: timesMs[i], value: values[i] });
  return figures;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function boxOf({ width, height }: Size): string {
  return `0 0 ${width} ${height}`;
}

/** A path through the values, the newest at the right; what is not known is left out. */
export function lineOf(values: readonly number[], { width, height }: Size, max: number): string {
  const step = width / Math.max(values.length - 1, 1);
  // Half of the line's width is left at the top and the bottom.
  const scale = max === 0 ? 0 : (height - 2) / max;
  let path = "";
  let isDrawing = false;
  values.forEach((value, i) => {
    if (!Number.isNaN(value)) {
      path += `${isDrawing ? "L" : "M"}${digits(i * step)} ${digits(height - 1 - value * scale)}`;
    }
    isDrawing = !Number.isNaN(value);
  });
  return path;
}

function digits(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function maxOf(values: readonly number[]): number {
  return values.reduce((max, value) => value > max ? value : max, 0);
}
