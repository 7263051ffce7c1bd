/**
 * Topics of which those know who tell of nodes, and which no node has any more.
 *
 * @module
 */

import { queryEscape } from "../http/query.ts";
import { namesIn } from "./answer_fields.ts";
import { type Answered, beginToAsk, hasNone, type Question, type Registries, tell } from "./asked.ts";
import { byText, mergedNodes, nullIfEmpty, type ToldNode, toldNodes } from "./cluster_nodes.ts";
import type { DaemonClient } from "./daemon_client.ts";

/** Each with its channels, sorted; `null` if it has none, or if they are not known yet. */
export type InactiveTopics = ReadonlyMap<string, readonly string[] | null>;

/** What one tells. */
interface Told {
  readonly address: string;
  readonly topics: readonly string[];
  readonly nodes: readonly ToldNode[];
}

/** Asks for them, of which some may be known before all have answered. */
export function askForInactiveTopics(
  client: DaemonClient,
  { kind, addresses }: Registries,
): Question<InactiveTopics> {
  // Unlike NSQ, which asks for each topic, and takes those for inactive about which it gets no answer.
  const asked = beginToAsk(kind, addresses, async (daemon): Promise<Told> => {
    const { address } = daemon;
    const [topics, nodes] = await Promise.all([
      client.get(daemon, "/topics", (answer) => namesIn(answer, "topics")),
      client.get(daemon, "/nodes", (answer) => toldNodes(answer, address)),
    ]);
    return { address, topics, nodes };
  });
  const channels = new Map<string, readonly string[] | null>();
  const withChannels = (told: readonly Told[]): InactiveTopics =>
    new Map(inactiveIn(told).map((topic) => [topic, channels.get(topic) ?? null]));
  const askForChannels = async ({ value: told, failures }: Answered<readonly Told[]>) => {
    const all = [...failures];
    // Who has left a question unanswered is not asked about each of the others.
    let answering = told.map(({ address }) => address);
    for (const topic of inactiveIn(told)) {
      const path = `/channels?topic=${queryEscape(topic)}`;
      const { answers, failures } = await tell(kind, answering, (daemon) => {
        return client.get(daemon, path, (answer) => namesIn(answer, "channels"));
      });
      channels.set(topic, nullIfEmpty([...new Set(answers.flat())].sort(byText)));
      const unanswered = failures.filter((failure) => !hasNone(failure));
      all.push(...unanswered);
      const failed = new Set(unanswered.map(({ daemon }) => daemon.address));
      answering = answering.filter((address) => !failed.has(address));
    }
    return { value: withChannels(told), failures: all };
  };
  return {
    all: asked.all.then(askForChannels),
    soFar: () => {
      const { value, failures, late } = asked.soFar();
      return { value: withChannels(value), failures, late };
    },
  };
}

function inactiveIn(told: readonly Told[]): string[] {
  const nodes = mergedNodes(told.flatMap(({ nodes }) => nodes));
  const active = new Set(
    nodes.flatMap(({ topics }) => topics ?? []).flatMap(({ topic, tombstoned }) => tombstoned ? [] : topic),
  );
  const known = [...new Set(told.flatMap(({ topics }) => topics))].sort(byText);
  return known.filter((topic) => !active.has(topic));
}
