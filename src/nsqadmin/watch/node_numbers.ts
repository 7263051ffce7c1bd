/**
 * What one node says of all its topics and channels, as a list of numbers without an object for each: 100 nodes with 1000
 * topics of 3 channels are 400,000 of them, every few seconds.
 *
 * @module
 */

import { inSlices, type Slice } from "../../base/time_slice.ts";
import { type NodeFacts, nodeFacts } from "../../cluster/node_facts.ts";
import type { ChannelNumbers, StatsReader, TopicNumbers } from "../../cluster/topic_numbers.ts";
import { isEphemeral } from "../../protocol/names.ts";
import { AT, type Field, FIELDS, type Series, type SeriesSet } from "./series.ts";

/** Topics and channels for whose numbers there is room at first, if the node has not said before how many it has. */
const SERIES_AT_FIRST = 64;

/** Channels of a topic that are taken over in one go: some 50 µs. */
const CHANNELS_IN_TURN = 64;

/** What a node has in all. */
export interface NodeTotals {
  readonly topics: number;
  /** In topics and channels. */
  readonly waiting: number;
  /** Of these, those that are on no disk; without what is ephemeral. */
  readonly inMemory: number;
  readonly inFlight: number;
  readonly deferred: number;
  /** What is in ephemeral topics and channels: waiting, in flight and deferred. */
  readonly ephemeral: number;
  readonly inRate: number;
  readonly outRate: number;
  readonly consumers: number;
}

const NOTHING: NodeTotals = {
  topics: 0,
  waiting: 0,
  inMemory: 0,
  inFlight: 0,
  deferred: 0,
  ephemeral: 0,
  inRate: 0,
  outRate: 0,
  consumers: 0,
};

/** What a node said once. */
export class NodeNumbers {
  /** Each topic before its channels. */
  readonly series: Series[] = [];
  /** When, by the monotonic clock. */
  readonly atMs: number;
  /** Topics and channels for which there was no room. */
  leftOut = 0;
  #totals = NOTHING;
  #facts: NodeFacts | undefined;
  #inMemory = 0;
  #ephemeral = 0;
  #numbers: Float64Array;
  #previous: NodeNumbers | undefined;
  #places: Map<Series, number> | undefined;

  private constructor(atMs: number, previous: NodeNumbers | undefined) {
    this.atMs = atMs;
    this.#previous = previous;
    this.#numbers = new Float64Array((previous?.series.length || SERIES_AT_FIRST) * FIELDS.length);
  }

  /** Reads an answer of `/stats`; rates are by what the node said before. @throws {TypeError} If it is none. */
  static async read(
    reader: StatsReader,
    { set, slice, atMs, previous }: {
      readonly set: SeriesSet;
      readonly slice: Slice;
      readonly atMs: number;
      readonly previous: NodeNumbers | undefined;
    },
  ): Promise<NodeNumbers> {
    const numbers = new NodeNumbers(atMs, previous);
    try {
      const facts = await reader.read((topic) => {
        const index = numbers.#addTopic(topic, set);
        if (index === undefined) return undefined;
        if (topic.channels.length > CHANNELS_IN_TURN) {
          return numbers.#addChannels(topic, { index, set, slice });
        }
        for (const channel of topic.channels) numbers.#addChannel(channel, index, set);
        return undefined;
      });
      numbers.#facts = nodeFacts(facts);
      return numbers.#done();
    } catch (error) {
      numbers.release(set);
      throw error;
    }
  }

  /** Over all topics. */
  get totals(): NodeTotals {
    return this.#totals;
  }

  /** What it said of itself. */
  get facts(): NodeFacts | undefined {
    return this.#facts;
  }

  /** They are not needed any more. */
  release(set: SeriesSet): void {
    for (const series of this.series) set.release(series);
    this.series.length = 0;
  }

  /** A number of the `index`-th topic or channel. */
  at(index: number, field: Field): number {
    return this.#numbers[index * FIELDS.length + AT[field]];
  }

  /** What waits in the `index`-th, which is a channel, or a topic with its channels. */
  waitingAt(index: number): number {
    const { series } = this;
    let waiting = this.at(index, "depth");
    for (let i = index + 1; i < series.length && series[i].topic === series[index]; i++) {
      waiting += this.at(i, "depth");
    }
    return waiting;
  }

  /** Adds all of it to the sums of the round that goes on. */
  addToSums(): void {
    for (let i = 0; i < this.series.length; i++) this.series[i].add(this.#numbers, i * FIELDS.length);
  }

  /** They are too old for the sums of the round that goes on. */
  addAsSilent(): void {
    for (const series of this.series) series.addSilent(this.atMs);
  }

  /** Where it stands, if there is room for it. */
  #addTopic(topic: TopicNumbers, set: SeriesSet): number | undefined {
    const series = set.use(topic.name, { guess: this.#previous?.series[this.series.length] });
    if (series === undefined) {
      this.leftOut++;
      return undefined;
    }
    const index = this.#add(series);
    const from = index * FIELDS.length;
    const messages = counted(topic.messages);
    const before = this.#before(index);
    const numbers = this.#numbers;
    numbers[from + AT.depth] = counted(topic.depth);
    this.#note(topic, { isLost: isEphemeral(topic.name), held: 0 });
    numbers[from + AT.messages] = messages;
    numbers[from + AT.paused] = topic.paused ? 1 : 0;
    if (before !== undefined) {
      numbers[from + AT.inRate] = this.#rate(messages - before.numbers[before.from + AT.messages]);
    }
    return index;
  }

  /** All of a topic with very many. */
  async #addChannels(
    { channels }: TopicNumbers,
    { index, set, slice }: { readonly index: number; readonly set: SeriesSet; readonly slice: Slice },
  ): Promise<void> {
    await inSlices(channels, (channel) => this.#addChannel(channel, index, set), slice);
  }

  #addChannel(channel: ChannelNumbers, topicIndex: number, set: SeriesSet): void {
    const topic = this.series[topicIndex];
    const series = set.use(channel.name, { topic, guess: this.#previous?.series[this.series.length] });
    if (series === undefined) {
      this.leftOut++;
      return;
    }
    const index = this.#add(series);
    const from = index * FIELDS.length;
    const numbers = this.#numbers;
    numbers[from + AT.depth] = counted(channel.depth);
    numbers[from + AT.inFlight] = counted(channel.inFlight);
    numbers[from + AT.deferred] = counted(channel.deferred);
    numbers[from + AT.requeued] = counted(channel.requeued);
    numbers[from + AT.timedOut] = counted(channel.timedOut);
    numbers[from + AT.messages] = counted(channel.messages);
    numbers[from + AT.consumers] = counted(channel.consumers);
    numbers[from + AT.paused] = channel.paused ? 1 : 0;
    numbers[from + AT.oldestS] = counted(channel.oldestS);
    numbers[from + AT.finished] = counted(channel.finished);
    this.#note(channel, {
      isLost: isEphemeral(channel.name) || isEphemeral(topic.name),
      held: counted(channel.inFlight) + counted(channel.deferred),
    });
    const before = this.#before(index);
    if (before !== undefined) {
      numbers[from + AT.inRate] = this.#rate(
        numbers[from + AT.messages] - before.numbers[before.from + AT.messages],
      );
      const count = numbers[from + AT.finished] > 0 ? finished : noMore;
      numbers[from + AT.outRate] = this.#rate(
        count(numbers, from) - count(before.numbers, before.from),
      );
      numbers[from + AT.requeueRate] = this.#rate(
        numbers[from + AT.requeued] - before.numbers[before.from + AT.requeued],
      );
    }
    // What of a topic's numbers is that of its channels.
    const topicFrom = topicIndex * FIELDS.length;
    numbers[topicFrom + AT.inFlight] += numbers[from + AT.inFlight];
    numbers[topicFrom + AT.deferred] += numbers[from + AT.deferred];
    numbers[topicFrom + AT.requeued] += numbers[from + AT.requeued];
    numbers[topicFrom + AT.timedOut] += numbers[from + AT.timedOut];
    numbers[topicFrom + AT.consumers] += numbers[from + AT.consumers];
    numbers[topicFrom + AT.outRate] += numbers[from + AT.outRate];
    numbers[topicFrom + AT.requeueRate] += numbers[from + AT.requeueRate];
    numbers[topicFrom + AT.oldestS] = Math.max(numbers[topicFrom + AT.oldestS], numbers[from + AT.oldestS]);
    numbers[topicFrom + AT.channels]++;
  }

  /** Notes what of it is lost with the process, whatever ends it, and what may be. */
  #note(
    { depth, backendDepth }: Pick<TopicNumbers, "depth" | "backendDepth">,
    { isLost, held }: { readonly isLost: boolean; readonly held: number },
  ): void {
    if (isLost) this.#ephemeral += counted(depth) + held;
    else this.#inMemory += counted(depth - backendDepth);
  }

  #add(series: Series): number {
    const index = this.series.push(series) - 1;
    if ((index + 1) * FIELDS.length > this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    return index;
  }

  /** Where the numbers are that it said before of the same. */
  #before(index: number): { readonly numbers: Float64Array; readonly from: number } | undefined {
    const previous = this.#previous;
    if (previous === undefined) return undefined;
    const place = previous.#placeOf(this.series[index], index);
    return place === undefined ? undefined : { numbers: previous.#numbers, from: place * FIELDS.length };
  }

  /** In a second. A count that was set back, as when its node was started anew, has not grown. */
  #rate(grown: number): number {
    const passedS = (this.atMs - (this.#previous?.atMs ?? this.atMs)) / 1000;
    return passedS > 0 ? Math.max(0, grown) / passedS : 0;
  }

  /** Where it stands, which is mostly where it stood the time before. */
  #placeOf(series: Series, guess: number): number | undefined {
    if (this.series[guess] === series) return guess;
    this.#places ??= new Map(this.series.map((each, i) => [each, i]));
    return this.#places.get(series);
  }

  /** Without what is needed only while it is read. */
  #done(): NodeNumbers {
    const length = this.series.length * FIELDS.length;
    if (length < this.#numbers.length) this.#numbers = this.#numbers.slice(0, length);
    this.#previous = undefined;
    this.#totals = this.#sumUp();
    return this;
  }

  #sumUp(): NodeTotals {
    const sum = { ...NOTHING, inMemory: this.#inMemory, ephemeral: this.#ephemeral };
    for (let i = 0; i < this.series.length; i++) {
      sum.waiting += this.at(i, "depth");
      if (this.series[i].topic !== undefined) continue;
      sum.topics++;
      sum.inFlight += this.at(i, "inFlight");
      sum.deferred += this.at(i, "deferred");
      sum.inRate += this.at(i, "inRate");
      sum.outRate += this.at(i, "outRate");
      sum.consumers += this.at(i, "consumers");
    }
    return sum;
  }
}

/** A count that somebody else says: what it cannot be would spoil sums. */
function counted(value: number): number {
  return Math.min(Math.max(value, 0), Number.MAX_SAFE_INTEGER);
}

/** Messages that consumers of a channel have finished, where its node counts them. */
function finished(numbers: Float64Array, from: number): number {
  return numbers[from + AT.finished];
}

/** Messages that a channel has had and has no more: finished, or, by somebody's wish, emptied. */
function noMore(numbers: Float64Array, from: number): number {
  return numbers[from + AT.messages] - numbers[from + AT.depth] - numbers[from + AT.inFlight] -
    numbers[from + AT.deferred];
}
