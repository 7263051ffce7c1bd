/**
 * A message of the crash tests, and what became of it in each channel.
 *
 * @module
 */

/** A FIN that was sent. */
export interface Fin {
  readonly sentMs: number;
  /** The server has said that it had no effect. */
  failed: boolean;
  /** It may have had no effect: the server was killed, or the connection left, soon after. */
  uncertain: boolean;
  /** What says that it was flushed before a kill, if anything does. */
  flushed: Evidence | undefined;
}

/**
 * Why something is taken as flushed: the state that the server left was saved after it, or a flush interval and more had
 * passed. When only the second says so, the server may just have been later than the driver allows it to be.
 */
export type Evidence = "in the saved state" | "by the interval";

/** What was sent before is flushed, and what says so, in ms since 1970. */
export interface FlushLines {
  readonly savedMs: number;
  readonly intervalMs: number;
}

/** What became of a message in one channel. */
export interface Fate {
  readonly message: SentMessage;
  readonly channel: string;
  /** It must be delivered here. */
  required: boolean;
  readonly fins: Fin[];
  /** Attempts that the next delivery must exceed. */
  attemptsFloor: number;
  /** Since the server was started. */
  deliveries: { readonly atMs: number; readonly attempts: number }[];
  requeue: { readonly sentMs: number; readonly untilMs: number; flushed: boolean } | undefined;
}

/** A message that was sent. */
export interface SentMessage {
  readonly topic: string;
  readonly body: string;
  readonly sentMs: number;
  /** Before that it must not come; 0 is at once. */
  readonly dueMs: number;
  /** Channels that there were when it was sent. */
  readonly channels: readonly string[];
  ackedMs: number;
  /** It never will be: the server ended before it answered. */
  unanswered: boolean;
  /** It was in memory when the server was killed. */
  mayBeLost: boolean;
  /** When nothing was left of it in the server, or 0. */
  drainedMs: number;
  /** Id and timestamp that it was first delivered with, which never change. */
  identity: string | undefined;
  readonly fates: Map<string, Fate>;
}

/** A fate in words, for a report. */
export function describe(fate: Fate, nowMs: number): string {
  const { message } = fate;
  const ago = (ms: number) => `${Math.round(nowMs - ms)} ms ago`;
  const parts = [
    `sent ${ago(message.sentMs)}`,
    message.ackedMs > 0 ? `acknowledged ${ago(message.ackedMs)}` : "never answered",
    ...message.dueMs > 0 ? [`due ${ago(message.dueMs)}`] : [],
    ...fate.attemptsFloor > 0 ? [`attempts flushed: ${fate.attemptsFloor}`] : [],
    ...fate.deliveries.map(({ atMs, attempts }) => `attempt ${attempts} ${ago(atMs)}`),
    ...fate.requeue ? [`requeued ${ago(fate.requeue.sentMs)} until ${ago(fate.requeue.untilMs)}`] : [],
    ...fate.fins.map(({ sentMs, failed, uncertain, flushed }) =>
      `FIN ${ago(sentMs)}${failed ? " failed" : ""}${uncertain ? " uncertain" : ""}${
        flushed ? ` flushed ${flushed}` : ""
      }`
    ),
  ];
  return `${message.topic}/${fate.channel} ${quote(message.body)}: ${parts.join(", ")}`;
}

/** Holds a fate against the flush lines of the server's end. */
export function settle(fate: Fate, lines: FlushLines): void {
  for (const fin of fate.fins) {
    if (fin.failed || fin.flushed || fin.uncertain) continue;
    fin.flushed = evidenceFor(fin.sentMs, lines);
    fin.uncertain = fin.flushed === undefined;
  }
  for (const { atMs, attempts } of fate.deliveries) {
    if (evidenceFor(atMs, lines)) fate.attemptsFloor = Math.max(fate.attemptsFloor, attempts);
  }
  fate.deliveries = [];
  if (!fate.requeue) return;
  if (evidenceFor(fate.requeue.sentMs, lines)) fate.requeue.flushed = true;
  else if (!fate.requeue.flushed) fate.requeue = undefined;
}

/** What says that something of that time was flushed, if anything does. */
export function evidenceFor(atMs: number, { savedMs, intervalMs }: FlushLines): Evidence | undefined {
  if (atMs <= savedMs) return "in the saved state";
  return atMs <= intervalMs ? "by the interval" : undefined;
}

/** The beginning of a body. */
export function quote(body: string): string {
  return JSON.stringify(body.length > 40 ? `${body.slice(0, 40)}…` : body);
}
