/**
 * The client library with a whole cluster: 20 nsqds of which one after the other is killed, and a group of 50 consumers. Says
 * what was lost, how messages were shared, and how much memory this process took. `deno task client-campaign`, with flags
 * for another size; `--rounds` says how long it is.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { runCluster } from "../support/client_cluster.ts";

const flags = parseArgs(Deno.args, {
  string: ["nodes", "consumers", "max-in-flight", "messages", "rounds"],
  default: { nodes: "20", consumers: "50", "max-in-flight": "10", messages: "10000", rounds: "20" },
});
const startMs = performance.now();

const result = await runCluster({
  nodes: Number(flags.nodes),
  consumers: Number(flags.consumers),
  maxInFlight: Number(flags["max-in-flight"]),
  messages: Number(flags.messages),
  rounds: Number(flags.rounds),
  onRound(round, published) {
    const { rss, heapUsed } = Deno.memoryUsage();
    const seconds = Math.round((performance.now() - startMs) / 1000);
    console.log(
      `${seconds} s, round ${round}: ${published} published, RSS ${mib(rss)} MiB, heap ${mib(heapUsed)}`,
    );
  },
});

const { published, missing, deliveries, mostReady, ready, taken } = result;
console.log(
  `${published} published, ${missing} missing, ${deliveries} deliveries, RDY ${mostReady} at most`,
);
console.log(`RDY at the end, by node: ${range(ready)}; messages by consumer: ${range(taken)}`);
if (missing > 0) Deno.exit(1);

function range(counts: readonly number[]): string {
  return `${Math.min(...counts)} to ${Math.max(...counts)}`;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
