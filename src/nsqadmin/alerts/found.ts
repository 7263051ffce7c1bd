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
import type { AlertRule } from "./rules.ts";

/** Alerts of a rule that are kept; further ones are counted. A rule that is about everything leaves the others their room. */
export const ALERTS_OF_RULE_MAX = 500;

/** The longest text that is kept of what was found, in characters: others have thought of it. */
export const DETAIL_LENGTH_MAX = 300;

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
  readonly detail: string | undefined;
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
  readonly detail?: string | undefined;
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
  readonly #entries = new Map<string, Entry>();
  readonly #onChange: (alert: Alert) => void;
  #round = 0;
  #leftOut = 0;

  /** `onChange` is told of what fires, and of what has fired and is over. */
  constructor(rule: AlertRule, onChange: (alert: Alert) => void) {
    this.rule = rule;
    this.#onChange = onChange;
  }

  /** All, those that began first before the others. */
  get alerts(): Alert[] {
    return Array.from(this.#entries.values(), ({ alert }) => alert);
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

  /** Something was seen. */
  see(subject: AlertSubject, { value, detail: whole }: Sight, now: Moment): void {
    const isAbove = value !== undefined && value > this.rule.limit;
    // Most are not above: for them nothing must be made.
    if (!isAbove && this.#entries.size === 0) return;
    const detail = whole && shortened(whole, DETAIL_LENGTH_MAX);
    const key = keyOf(subject);
    const known = this.#entries.get(key);
    if (known === undefined) {
      if (!isAbove) return;
      if (this.#entries.size >= ALERTS_OF_RULE_MAX) {
        this.#leftOut++;
        return;
      }
      const alert: Alert = {
        rule: this.rule,
        subject,
        value,
        detail,
        since: now,
        fired: undefined,
        resolved: undefined,
      };
      const entry = { alert, belowMs: undefined, round: this.#round };
      this.#entries.set(key, entry);
      this.#above(entry, now);
      return;
    }
    known.round = this.#round;
    if (value === undefined) known.belowMs = undefined;
    else if (isAbove) {
      known.alert = { ...known.alert, value, detail };
      known.belowMs = undefined;
      this.#above(known, now);
    } else {
      known.alert = { ...known.alert, value };
      this.#below(key, known, now);
    }
  }

  /** The round has ended: what was not seen is not there. */
  end(now: Moment): void {
    for (const [key, entry] of this.#entries) {
      if (entry.round !== this.#round) this.#below(key, entry, now);
    }
  }

  #above(entry: Entry, now: Moment): void {
    const { alert } = entry;
    if (alert.fired !== undefined || now.monotonicMs - alert.since.monotonicMs < this.rule.forMs) return;
    entry.alert = { ...alert, fired: now };
    this.#onChange(entry.alert);
  }

  #below(key: string, entry: Entry, now: Moment): void {
    entry.belowMs ??= now.monotonicMs;
    const hasFired = entry.alert.fired !== undefined;
    if (hasFired && now.monotonicMs - entry.belowMs < this.rule.forMs) return;
    this.#entries.delete(key);
    if (hasFired) this.#onChange({ ...entry.alert, resolved: now });
  }
}

/** No two subjects have the same, whatever names nodes tell of. */
function keyOf({ topic, channel, node }: AlertSubject): string {
  return JSON.stringify([topic, channel, node]);
}
