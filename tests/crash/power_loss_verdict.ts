/**
 * Whether what a crash has left is what the record says: all that must be there, and nothing that must not; and what the
 * record says from then on.
 *
 * @module
 */
import { isEphemeral } from "../../src/protocol/names.ts";
import {
  afterCrash,
  type CrashRecord,
  type Entry,
  flushedOf,
  KEPT,
  type Kept,
  type Message,
  type Moment,
  momentsSince,
  type TopicRecord,
} from "./power_loss_record.ts";
import { type Findings, type Found, type FoundTopic, must } from "./power_loss_recovery.ts";

/** Checks what was found after a crash against the record; `survived` is the worst that has happened. */
export function compare(record: CrashRecord, findings: Findings, survived: Kept): void {
  for (const topic of findings.topics.values()) {
    for (const [id, found] of topic.own) checkFound(record, topic, undefined, id, found);
    for (const [channel, messages] of topic.channels) {
      for (const [id, found] of messages) checkFound(record, topic, channel, id, found);
    }
  }
  for (const message of record.messages.values()) {
    if (message.kept >= survived && survived !== KEPT.nothing) checkKept(record, findings, message);
  }
}

/** What is there may be there. */
function checkFound(
  record: CrashRecord,
  topic: FoundTopic,
  channel: string | undefined,
  id: number,
  found: Found,
): void {
  const where = channel === undefined ? topic.name : `${topic.name}/${channel}`;
  const message = record.messages.get(id);
  must(message?.topic.name === topic.name, () => `${where} has #${id}, which was never published there`);
  checkPosition(record, message, found.position);
  const settled = channel === undefined
    ? record.isGoneFromTopic(message)
    : record.isSettled(message, channel);
  must(!settled, () => `${where} has #${id} again`);
  const entry = channel === undefined ? undefined : message.topic.channels.get(channel)?.get(id);
  const expected = entry
    ? afterCrash(entry)
    : { attemptsMin: 0, attemptsMax: 0, low: message.low, high: message.high };
  must(
    found.attempts >= expected.attemptsMin && found.attempts <= expected.attemptsMax,
    () =>
      `${where} has #${id} with ${found.attempts} attempts, not ${expected.attemptsMin}-${expected.attemptsMax}`,
  );
  must(found.atMs >= expected.low, () => `${where} has #${id} ${expected.low - found.atMs} ms too early`);
  // Times are saved in whole ms.
  must(
    found.afterMs < expected.high + 1 || found.afterMs === 0,
    () => `${where} has #${id} ${found.afterMs - expected.high} ms too late, or later`,
  );
}

/** A position stands for one message, for ever. */
export function checkPosition(record: CrashRecord, { id, topic: { name } }: Message, position: number): void {
  const positions = record.positions.get(name) ?? new Map<number, number>();
  record.positions.set(name, positions);
  const known = positions.get(position);
  must(known === undefined || known === id, () => `${name} has #${id} in the place of #${known}`);
  positions.set(position, id);
}

/** What must be there is there. */
function checkKept(record: CrashRecord, findings: Findings, message: Message): void {
  const { id, topic } = message;
  if (topic.deleted < Infinity) return;
  const found = findings.topics.get(topic.name);
  if (topic.own.has(id)) {
    must(found !== undefined, () => `${topic.name} is lost, with #${id}`);
    const lacks = [...found.channels].filter(([, messages]) => !messages.has(id)).map(([name]) => name);
    must(
      found.own.has(id) || found.channels.size > 0 && lacks.length === 0,
      () => `${topic.name} has lost #${id}, its own, in ${lacks}`,
    );
    return;
  }
  const there = [...topic.channels].filter(([channel, entries]) => entries.has(id) && !isEphemeral(channel));
  const present = there.filter(([, entries]) => {
    const entry = entries.get(id);
    return entry?.gone === Infinity && !entry.isBack;
  });
  if (present.length === 0) return;
  must(found !== undefined, () => `${topic.name} is lost, with #${id}`);
  if (found.own.has(id)) return;
  for (const [channel, entries] of present) {
    const messages = found.channels.get(channel);
    const needsChannel = entries.get(id)?.needsChannel || record.isNamed(topic.name, channel);
    must(
      messages !== undefined || !needsChannel,
      () => `${topic.name}/${channel} is lost, with #${id}`,
    );
    must(messages === undefined || messages.has(id), () => `${topic.name}/${channel} has lost #${id}`);
  }
  if (present.length < there.length) return;
  must(
    [...found.channels.values()].some((messages) => messages.has(id)),
    () => `${topic.name} has lost #${id}`,
  );
}

/** Makes what was found the record's: from now on exactly that is there. */
export function adopt(record: CrashRecord, findings: Findings, survived: Kept): void {
  const tick = record.next();
  if (record.wasSetBack) record.positions.clear();
  for (const topic of [...record.topics.values()]) {
    topic.pending = [];
    topic.unanswered = [];
    if (!findings.topics.has(topic.name)) record.deleteTopic(topic);
  }
  for (const found of findings.topics.values()) adoptTopic(record, topicOf(record, found), found, survived);
  // What is there now has been read from the disk. What is not there does not come back any more.
  if (survived === KEPT.powerLoss) record.settle(tick);
  record.next();
}

/** The record's topic: that of the name, or one that was deleted, and is there all the same. */
function topicOf(record: CrashRecord, { name, own, channels }: FoundTopic): TopicRecord {
  const ids = [own, ...channels.values()].flatMap((messages) => [...messages.keys()]);
  const [topic = record.topic(name)] = ids.flatMap((id) => record.messages.get(id)?.topic ?? []);
  if (record.topics.get(name) !== topic) record.restoreTopic(topic);
  return topic;
}

function adoptTopic(record: CrashRecord, topic: TopicRecord, found: FoundTopic, survived: Kept): void {
  const { tick } = record;
  const isPower = survived === KEPT.powerLoss;
  topic.uncertain = !isPower;
  topic.lostState &&= !isPower;
  topic.paused = found.paused;
  topic.live.clear();
  topic.pausedChannels.clear();
  for (const channel of found.channels.keys()) topic.live.add(channel);
  for (const channel of found.pausedChannels) topic.pausedChannels.add(channel);
  topic.own.clear();
  const keep = (message: Message) => {
    message.topic = topic;
    message.unsynced = false;
    message.isStored = true;
    message.kept = isPower ? KEPT.powerLoss : message.kept === KEPT.nothing ? KEPT.kill : message.kept;
  };
  for (const entries of topic.channels.values()) {
    for (const [id, entry] of entries) {
      if (found.own.has(id)) entries.delete(id);
      else if (entry.gone === Infinity) entry.gone = tick;
      entry.inFlight = false;
    }
  }
  const own = [...found.own].sort(([, a], [, b]) => a.position - b.position);
  for (const [id] of own) {
    const message = record.messages.get(id);
    if (!message) continue;
    keep(message);
    // It may be where it was again after a loss of power.
    if (message.distributed < Infinity && !isPower) message.kept = KEPT.nothing;
    message.distributed = Infinity;
    topic.own.set(id, message);
  }
  const adopted = new Set<Message>();
  for (const [channel, messages] of found.channels) {
    for (const [id, { attempts }] of messages) {
      const message = record.messages.get(id);
      if (!message) continue;
      adopted.add(message);
      // It may have been another topic's, which was to be deleted.
      const before = message.topic.channels.get(channel)?.get(id);
      const moments = momentsAdopted(message, before, { tick, attempts });
      topic.entries(channel).set(id, {
        message,
        moments: isPower ? moments.slice(-1) : moments,
        needsChannel: false,
        isBack: !isPower && (before ? before.isBack || before.gone < tick : topic.lostState),
        gone: Infinity,
        inFlight: false,
      });
    }
  }
  for (const message of adopted) {
    // Unless it was flushed that it is, the node has found out anew, and may do so differently the next time.
    if (message.distributed > flushedOf(message)) message.distributed = tick + 1;
    keep(message);
  }
}

/** What is known of a message in a channel after it was found there. */
function momentsAdopted(
  message: Message,
  entry: Entry | undefined,
  { tick, attempts }: { tick: number; attempts: number },
): Moment[] {
  if (!entry) return [{ tick, attempts, low: message.low, high: message.high }];
  const { low, high } = afterCrash(entry);
  const [first, ...others] = momentsSince(entry, flushedOf(message));
  // A later loss of power may take it back to what was flushed or, if nothing was, to how it began.
  const later = message.isStored ? others : [];
  return [{ ...first, tick: -1 }, ...later, { tick, attempts, low, high }];
}
