/**
 * What the model test writes down for the case of a crash: which messages there were, which were acknowledged, and
 * what each topic's state said when it was saved last.
 *
 * @module
 */
import type { Topic } from "../../src/broker/topic.ts";
import type { ModelMessage } from "./broker_model.ts";
import type { BrokerTrial } from "./broker_trial.ts";

/** A message of a channel when the state was saved. */
export interface NotedMessage {
  readonly attempts: number;
  /** When it was due; 0 was at once. */
  readonly dueMs: number;
}

/** What a topic's state said. */
export interface StateNote {
  /** By channel and position, what was not finished. */
  readonly channels: ReadonlyMap<string, ReadonlyMap<number, NotedMessage>>;
  /** True for a position that was there then, and not in memory only: the state speaks of no others. */
  has(position: number): boolean;
}

/** What is known of one topic. */
interface TopicNotes {
  readonly messages: Map<number, ModelMessage>;
  /** Their publishers were told that they could not be kept. */
  readonly refused: Map<number, ModelMessage>;
  readonly acknowledged: Set<number>;
  state: StateNote | undefined;
}

/** All that is written down. */
export class BrokerNotes {
  readonly #trial: BrokerTrial;
  readonly #topics = new Map<string, TopicNotes>();
  #ended = false;

  constructor(trial: BrokerTrial) {
    this.#trial = trial;
  }

  /** Messages were published; their publishers are told when they are kept. */
  committed(topic: Topic, messages: readonly ModelMessage[]): void {
    const notes = this.#of(topic.name);
    if (messages.length === 0) return;
    for (const message of messages) notes.messages.set(message.position, message);
    const acknowledge = () => {
      if (this.#ended) return;
      for (const { position } of messages) notes.acknowledged.add(position);
    };
    const kept = topic.kept();
    if (kept) kept.then(acknowledge, () => {});
    else acknowledge();
  }

  /** Messages could not be written. */
  refused(topic: Topic, messages: readonly ModelMessage[]): void {
    const { refused } = this.#of(topic.name);
    for (const message of messages) refused.set(message.position, message);
  }

  /** A state is about to be written that says how things are now; to be called back when it is. */
  savingState(topic: string): (reached: "written" | "synced") => void {
    const notes = this.#of(topic);
    const state = this.#noteState(topic);
    return (reached) => {
      // Of a topic that has been deleted meanwhile nothing is known any more.
      if (this.#ended || this.#topics.get(topic) !== notes) return;
      // In between it is not known what a loss of power leaves.
      notes.state = reached === "synced" ? state : undefined;
    };
  }

  /** The program dies: what it does from now on does not count. */
  end(): void {
    this.#ended = true;
  }

  /** The topic was deleted. */
  forget(topic: string): void {
    this.#topics.delete(topic);
  }

  /** A message of the topic that was published. */
  message(topic: string, position: number): ModelMessage | undefined {
    return this.#topics.get(topic)?.messages.get(position);
  }

  /** A message of the topic that was refused. */
  refusedMessage(topic: string, position: number): ModelMessage | undefined {
    return this.#topics.get(topic)?.refused.get(position);
  }

  isAcknowledged(topic: string, position: number): boolean {
    return this.#topics.get(topic)?.acknowledged.has(position) ?? false;
  }

  /** What the topic's state said when it was saved last. */
  state(topic: string): StateNote | undefined {
    return this.#topics.get(topic)?.state;
  }

  #of(topic: string): TopicNotes {
    const notes = this.#topics.get(topic) ??
      { messages: new Map(), refused: new Map(), acknowledged: new Set(), state: undefined };
    this.#topics.set(topic, notes);
    return notes;
  }

  #noteState(name: string): StateNote {
    const { model, broker } = this.#trial;
    const { segments = [], end = 0 } = broker.topics.get(name)?.log ?? {};
    const inMemory = segments.filter(({ written }) => written === 0).map(({ base, end }) => ({ base, end }));
    const topic = model.get(name);
    const committedEnd = topic?.pending[0]?.position ?? end;
    const channels = new Map<string, Map<number, NotedMessage>>();
    for (const [channelName, { entries }] of topic?.channels ?? []) {
      const unfinished = new Map<number, NotedMessage>();
      for (const { message, attempts, state, dueMs } of entries) {
        unfinished.set(message.position, { attempts, dueMs: state === "deferred" ? dueMs : 0 });
      }
      for (const { position, dueMs } of topic?.own ?? []) unfinished.set(position, { attempts: 0, dueMs });
      channels.set(channelName, unfinished);
    }
    return {
      channels,
      has: (position) =>
        position < committedEnd &&
        !inMemory.some(({ base, end }) => base <= position && position < end),
    };
  }
}
