/**
 * What one rule has found, and how that changes:
 *
 * ```
 *             above the limit                     for as long as the rule says
 *   (none) ──────────────────────▶ pending ─────────────────────────────────────▶ firing
 *      ▲                              │                                              │
 *      ├──────── once not above ──────┘                                              │
 *      └──────────────────────── not above, for as long again ◀──────────────────────┘
 * ```
 *
 * Where nobody knows, because no node that has it answers, nothing begins and nothing ends. What is not there any more is
 * not above any limit.
 *
 * @module
 */

import type { Moment } from "../../base/clock.ts";
import { shortened } from "../../base/shortened.ts";
import type { Said } from "../said.ts";
import type { AlertRule } from "./rules.ts";

/** Alerts of a rule that are kept; further ones are counted. A rule that is about everything leaves the others their room. */
export const ALERTS_OF_RULE_MAX = 500;

/** The longest text that is kept of what was found, in characters: others have thought of it. */
export const DETAIL_LENGTH_MAX = 300;

/** What is said of alerts, in one language. */
export interface AlertWords {
  /** What an alert is about that is about no part of it. */
  readonly wholeCluster: string;
  readonly nobodyTells: string;
  readonly toldBy: (told: number, tellers: number) => string;
  readonly versionsAndMore: (versions: string, more: number) => string;
}

/** What an alert is about; nothing of it is there where it is the whole cluster. */
export interface AlertSubject {
  readonly topic?: string | undefined;
  readonly channel?: string | undefined;
  /** The address of a node, or of who tells of nodes. */
  readonly node?: string | undefined;
}

/** Something that a rule has found. */
export interface Alert {
  readonly rule: AlertRule;
  readonly subject: AlertSubject;
  /** What it was the last time that it was known. */
  readonly value: number;
  /** The same in words, where a number does not say it. */
  readonly detail: Said<AlertWords> | undefined;
  /** Since when it is above the limit. */
  readonly since: Moment;
  /** Since when it fires; undefined as long as it is pending. */
  readonly fired: Moment | undefined;
  /** When it was over. */
  readonly resolved: Moment | undefined;
}

/** What was seen of something in a round. */
export interface Sight {
  /** Undefined where nobody knows. */
  readonly value: number | undefined;
  readonly detail?: Said<AlertWords> | undefined;
}

interface Entry {
  alert: Alert;
  /** Since when it is not above the limit any more, by the monotonic clock. */
  belowMs: number | undefined;
  /** The round in which it was seen last. */
  round: number;
}

/** A rule, and what it has found. */
export class Found {
  readonly rule: AlertRule;
  /** By topic, or else by node, and then by channel: no name has to be put together with another to be looked for. */
  readonly #entries = new Map<string | undefined, Map<string | undefined, Entry>>();
  readonly #onChange: (alert: Alert) => void;
  #round = 0;
  #size = 0;
  #leftOut = 0;

  /** `onChange` is told of what fires, and of what has fired and is over. */
  constructor(rule: AlertRule, onChange: (alert: Alert) => void) {
    this.rule = rule;
    this.#onChange = onChange;
  }

  /** All, those that began first before the others. */
  get alerts(): Alert[] {
    const alerts = Array.from(this.#all(), ({ alert }) => alert);
    return alerts.sort((a, b) => a.since.monotonicMs - b.since.monotonicMs);
  }

  /** How many more there were than there is room for. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** A round begins. */
  begin(): void {
    this.#round++;
    this.#leftOut = 0;
  }

  /** Whether something of that value need be seen, before it is found out whether the rule is about it: mostly not. */
  concerns(subject: AlertSubject, value: number | undefined): boolean {
    return this.#isAbove(value) || this.#size > 0 && this.#find(subject) !== undefined;
  }

  /** Something was seen. */
  see(subject: AlertSubject, { value, detail: whole }: Sight, now: Moment): void {
    const known = this.#find(subject);
    if (known === undefined) {
      if (!this.#isAbove(value)) return;
      if (this.#size >= ALERTS_OF_RULE_MAX) {
        this.#leftOut++;
        return;
      }
      const alert: Alert = {
        rule: this.rule,
        subject,
        value,
        detail: kept(whole),
        since: now,
        fired: undefined,
        resolved: undefined,
      };
      const entry = { alert, belowMs: undefined, round: this.#round };
      this.#add(entry);
      this.#above(entry, now);
      return;
    }
    known.round = this.#round;
    if (value === undefined) known.belowMs = undefined;
    else if (this.#isAbove(value)) {
      known.alert = { ...known.alert, value, detail: kept(whole) };
      known.belowMs = undefined;
      this.#above(known, now);
    } else {
      known.alert = { ...known.alert, value };
      this.#below(known, now);
    }
  }

  /** The round has ended: what was not seen is not there. */
  end(now: Moment): void {
    for (const entry of this.#all()) {
      if (entry.round !== this.#round) this.#below(entry, now);
    }
  }

  *#all(): Generator<Entry> {
    for (const entries of this.#entries.values()) yield* entries.values();
  }

  #isAbove(value: number | undefined): value is number {
    return value !== undefined && value > this.rule.limit;
  }

  #find({ topic, channel, node }: AlertSubject): Entry | undefined {
    return this.#entries.get(topic ?? node)?.get(channel);
  }

  #add(entry: Entry): void {
    const { topic, channel, node } = entry.alert.subject;
    const siblings = this.#entries.get(topic ?? node) ?? new Map<string | undefined, Entry>();
    this.#entries.set(topic ?? node, siblings.set(channel, entry));
    this.#size++;
  }

  #remove({ alert: { subject: { topic, channel, node } } }: Entry): void {
    const siblings = this.#entries.get(topic ?? node);
    siblings?.delete(channel);
    if (siblings?.size === 0) this.#entries.delete(topic ?? node);
    this.#size--;
  }

  #above(entry: Entry, now: Moment): void {
    const { alert } = entry;
    if (alert.fired !== undefined || now.monotonicMs - alert.since.monotonicMs < this.rule.forMs) return;
    entry.alert = { ...alert, fired: now };
    this.#onChange(entry.alert);
  }

  #below(entry: Entry, now: Moment): void {
    entry.belowMs ??= now.monotonicMs;
    const hasFired = entry.alert.fired !== undefined;
    if (hasFired && now.monotonicMs - entry.belowMs < this.rule.forMs) return;
    this.#remove(entry);
    if (hasFired) this.#onChange({ ...entry.alert, resolved: now });
  }
}

function kept(detail: Said<AlertWords> | undefined): Said<AlertWords> | undefined {
  return typeof detail === "string" ? shortened(detail, DETAIL_LENGTH_MAX) : detail;
}
