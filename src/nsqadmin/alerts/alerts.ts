/**
 * What is wrong in the cluster, by rules, each of which is judged after each round of the poller. What becomes of what a rule
 * finds: found.ts.
 *
 * @module
 */

import { type Clock, type Moment, momentOf } from "../../base/clock.ts";
import { inSlices, type Slice, TimeSlice } from "../../base/time_slice.ts";
import type { Registries } from "../../cluster/asked.ts";
import type { Poller } from "../watch/poller.ts";
import type { Series } from "../watch/series.ts";
import type { WatchedNode } from "../watch/watched_node.ts";
import { type Said, saidIn } from "../said.ts";
import { type Alert, type AlertWords, Found } from "./found.ts";
import {
  ALERT_KINDS,
  type AlertKind,
  type AlertKindName,
  type AlertRule,
  formatAlertValue,
} from "./rules.ts";

/** Alerts that are over and still shown, the latest. */
export const RESOLVED_MAX = 100;
/** Versions that are named. */
const VERSIONS_SHOWN_MAX = 5;

/** What logs and the API say of alerts. */
export const ALERT_WORDS: AlertWords = {
  wholeCluster: "the cluster",
  nobodyTells: "nobody tells of it any more",
  toldBy: (told, tellers) => `told of by ${told} of ${tellers}`,
  versionsAndMore: (versions, more) => `${versions} and ${more} more`,
};

/** What is judged: what the poller knows after a round. */
export type Judged = Pick<Poller, "topics" | "nodes" | "failures">;

/** What {@linkcode Alerts} is given. */
export interface AlertsOptions {
  readonly rules: readonly AlertRule[];
  readonly clock: Clock;
  /** Who tells of nodes. */
  readonly registries: () => Registries | undefined;
  /** Is told of what fires, and of what has fired and is over. */
  readonly onChange: (alert: Alert) => void;
}

/** All alerts. */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #found: readonly Found[];
  readonly #resolved: Alert[] = [];

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#found = options.rules.map((rule) => new Found(rule, (alert) => this.#changed(alert)));
  }

  get rules(): readonly AlertRule[] {
    return this.#options.rules;
  }

  /** Those that fire, in the order of the rules. */
  get firing(): Alert[] {
    return this.#found.flatMap(({ alerts }) => alerts.filter(isFiring));
  }

  /** Those that may come to. */
  get pending(): Alert[] {
    return this.#found.flatMap(({ alerts }) => alerts.filter((alert) => !isFiring(alert)));
  }

  /** The latest that are over, the last first. */
  get resolved(): Alert[] {
    return this.#resolved.toReversed();
  }

  /** How many more there are than there is room for. */
  get leftOut(): number {
    return this.#found.reduce((sum, { leftOut }) => sum + leftOut, 0);
  }

  /** How many there are of each rule. */
  get counts(): { readonly rule: AlertRule; readonly firing: number; readonly pending: number }[] {
    return this.#found.map(({ rule, alerts }) => {
      const firing = alerts.filter(isFiring).length;
      return { rule, firing, pending: alerts.length - firing };
    });
  }

  /** Judges by all rules what is known after a round. */
  async judge(judged: Judged, slice: Slice = new TimeSlice()): Promise<void> {
    const now = momentOf(this.#options.clock);
    for (const found of this.#found) found.begin();
    const of = (...whose: AlertKind["of"][]) =>
      this.#found.filter(({ rule }) => whose.includes(ALERT_KINDS[rule.kind].of));
    this.#judgeRegistries(judged, of("registries"), now);
    const { nodes } = judged;
    for (const found of of("cluster")) judgeVersions(nodes, found, now);
    const ofNodes = of("nodes");
    const tellers = this.#tellersOf(judged);
    const judgeNode = (node: WatchedNode) => {
      const subject = { node: node.address };
      for (const found of ofNodes) {
        const { kind, filter } = found.rule;
        if (!filter.hasName(node.address, node.node.hostname)) continue;
        const detail = wrongWith(node, kind, tellers);
        found.see(subject, { value: detail === undefined ? 0 : 1, detail }, now);
      }
    };
    if (ofNodes.length > 0) await inSlices(nodes, judgeNode, slice);
    const ofSeries = of("series", "channels");
    if (ofSeries.length > 0) {
      await inSlices(allOf(judged.topics), (series) => judgeSeries(series, ofSeries, now), slice);
    }
    await inSlices(this.#found, (found) => found.end(now), slice);
  }

  #judgeRegistries({ failures }: Judged, ofRegistries: readonly Found[], now: Moment): void {
    const registries = this.#options.registries();
    if (registries === undefined) return;
    for (const address of registries.addresses) {
      const reason = failures.find(({ daemon }) =>
        daemon.kind === registries.kind && daemon.address === address
      )
        ?.reason;
      for (const found of ofRegistries) {
        if (!found.rule.filter.hasName(address)) continue;
        found.see({ node: address }, { value: reason === undefined ? 0 : 1, detail: reason }, now);
      }
    }
  }

  /** How many have told of nodes; undefined where nobody does. */
  #tellersOf({ failures }: Judged): number | undefined {
    const registries = this.#options.registries();
    if (registries === undefined) return undefined;
    const silent = failures.filter(({ daemon: { kind, address } }) =>
      kind === registries.kind && registries.addresses.includes(address)
    );
    return registries.addresses.length - silent.length;
  }

  #changed(alert: Alert): void {
    if (alert.resolved !== undefined) {
      this.#resolved.push(alert);
      if (this.#resolved.length > RESOLVED_MAX) this.#resolved.shift();
    }
    this.#options.onChange(alert);
  }
}

/** How an alert is. */
export function stateOf({ fired, resolved }: Alert): "pending" | "firing" | "resolved" {
  return resolved !== undefined ? "resolved" : fired !== undefined ? "firing" : "pending";
}

/** What an alert is about, in words. */
export function subjectText({ subject: { topic, channel, node } }: Alert, words = ALERT_WORDS): string {
  if (topic === undefined) return node ?? words.wholeCluster;
  return channel === undefined ? topic : `${topic}/${channel}`;
}

/** What was found, in words. */
export function findingText({ rule, value, detail }: Alert, words = ALERT_WORDS): string {
  return detail === undefined ? formatAlertValue(rule.kind, value) : saidIn(words, detail);
}

/** An alert in one line. */
export function alertText(alert: Alert): string {
  return `${stateOf(alert)}: ${subjectText(alert)}: ${alert.rule.text} (${findingText(alert)})`;
}

/** An alert as JSON tells of it; what says nothing is left out. */
export function alertJson(alert: Alert): Readonly<Record<string, unknown>> {
  const { rule, subject, value, since, fired, resolved } = alert;
  return {
    state: stateOf(alert),
    rule: rule.text,
    kind: rule.kind,
    ...subject,
    value,
    limit: rule.limit,
    finding: findingText(alert),
    since: timeOf(since),
    fired: timeOf(fired),
    resolved: timeOf(resolved),
    text: alertText(alert),
  };
}

function timeOf(moment: Moment | undefined): string | undefined {
  return moment === undefined ? undefined : new Date(moment.wallMs).toISOString();
}

function isFiring({ fired }: Alert): boolean {
  return fired !== undefined;
}

/** All topics, each before its channels. */
function* allOf(topics: Iterable<Series>): Generator<Series> {
  for (const topic of topics) {
    yield topic;
    yield* topic.channels.values();
  }
}

function judgeSeries(series: Series, ofSeries: readonly Found[], now: Moment): void {
  const isChannel = series.topic !== undefined;
  const topic = series.topic?.name ?? series.name;
  const subject = { topic, channel: isChannel ? series.name : undefined };
  for (const found of ofSeries) {
    const { of, measure }: AlertKind = ALERT_KINDS[found.rule.kind];
    if (measure === undefined || of === "channels" && !isChannel) continue;
    const value = series.nodes === 0 ? undefined : measure(series);
    // Looking at names takes longer than looking at numbers.
    if (!found.concerns(subject, value) || !found.rule.filter.hasSeries(topic, subject.channel)) continue;
    found.see(subject, { value }, now);
  }
}

/** What is wrong with a node, by rules of that kind; undefined if nothing is. */
function wrongWith(
  node: WatchedNode,
  kind: AlertKindName,
  tellers: number | undefined,
): Said<AlertWords> | undefined {
  if (kind === "node-gone") return node.gone === undefined ? undefined : (words) => words.nobodyTells;
  if (kind === "node-failing") return node.reason;
  const told = node.node.remote_addresses?.length ?? 0;
  if (node.gone !== undefined || tellers === undefined || told >= tellers) return undefined;
  return (words) => words.toldBy(told, tellers);
}

function judgeVersions(nodes: readonly WatchedNode[], found: Found, now: Moment): void {
  const versions = new Set(nodes.filter(({ gone }) => gone === undefined).map(({ node }) => node.version));
  const shown = [...versions].sort().slice(0, VERSIONS_SHOWN_MAX).join(", ");
  const others = versions.size - VERSIONS_SHOWN_MAX;
  const detail: Said<AlertWords> = others > 0 ? (words) => words.versionsAndMore(shown, others) : shown;
  found.see({}, { value: versions.size - 1, detail }, now);
}
