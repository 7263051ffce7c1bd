/**
 * For how long one request takes the loop of nsqd or nsqlookupd, and with it everybody else: all commands, all endpoints and
 * the negotiation, each at the worst size that the default limits admit, while another connection asks for `/ping` again and
 * again. The figures are docs/performance.md's; nothing is to be above the goal.
 *
 * @module
 */

import { type AuthAnswer, AuthServer } from "../tests/support/auth_server.ts";
import { certificates } from "../tests/support/certificates.ts";
import { ChildDaemon, programCommand } from "../tests/support/child_daemon.ts";
import { Flags } from "../tests/support/flags.ts";
import { nsqdCommand } from "../tests/support/nsqd_process.ts";
import { commandCases } from "./loop_time/commands.ts";
import {
  crowdedCases,
  httpCases,
  manyTopicsCases,
  manyTopicsMetadata,
  manyTopicsPush,
} from "./loop_time/http.ts";
import { layerCases, longChain } from "./loop_time/layers.ts";
import { crowdedLookupCases, lookupCases } from "./loop_time/lookup.ts";
import { messageCases } from "./loop_time/messages.ts";
import { type LoopCase, type LoopTime, measure, Pinger } from "./loop_time/loop_case.ts";
import { StatsdStandIn } from "./loop_time/statsd.ts";
import { markdownTable } from "./markdown_table.ts";

const USAGE = `usage: deno run -A bench/loop_time.ts [flags]

  --only TEXT    only cases whose name has it
  --group NAME   only these: commands, layers, http, messages, crowd, lookup, lookup-crowd
  --plays N      of each case, of which the least counts (5)`;

/** What no request may exceed, in ms. */
const GOAL_MS = 20;
const CHAIN_LENGTH = 20;

const GROUPS = [
  "commands",
  "layers",
  "http",
  "messages",
  "crowd",
  "topics",
  "lookup",
  "lookup-crowd",
] as const;

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["only", "group", "plays"] });
  const plan = {
    only: flags.text("only") ?? "",
    group: flags.choice("group", GROUPS),
    plays: flags.count("plays") ?? 5,
  };
  const times = [...await playNsqd(plan), ...await playNsqlookupd(plan)];
  const rows = times.map(({ name, leastMs, middleMs }) => [
    name,
    leastMs.toFixed(1),
    middleMs.toFixed(1),
    leastMs > GOAL_MS ? "above" : "",
  ]);
  console.log(markdownTable(["request", "least, ms", "middle", `${GOAL_MS} ms`], rows));
  if (times.some(({ leastMs }) => leastMs > GOAL_MS)) Deno.exit(1);
}

interface Plan {
  readonly only: string;
  readonly group: typeof GROUPS[number] | undefined;
  readonly plays: number;
}

async function playNsqd(plan: Plan): Promise<LoopTime[]> {
  const wants = (...groups: readonly string[]) => plan.group === undefined || groups.includes(plan.group);
  if (!wants("commands", "layers", "http", "messages", "crowd", "topics")) return [];
  const { server, ca, folder } = await certificates();
  const chain = longChain(CHAIN_LENGTH);
  let answer: AuthAnswer = () => new Response("", { status: 500 });
  await using auth = new AuthServer((query) => answer(query));
  const common = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  const times: LoopTime[] = [];
  const withNsqd = async (
    args: readonly string[],
    work: (addresses: Addresses) => Promise<void>,
    metadata?: string,
  ) => {
    const dataPath = await Deno.makeTempDir({ prefix: "denosq_loop_time_" });
    try {
      if (metadata !== undefined) await Deno.writeTextFile(`${dataPath}/nsqd.dat`, metadata);
      await using nsqd = new ChildDaemon([...nsqdCommand(), ...common, `--data-path=${dataPath}`, ...args]);
      await work(await addressesOf(nsqd));
    } finally {
      await Deno.remove(dataPath, { recursive: true });
    }
  };
  if (wants("commands", "http", "messages", "crowd")) {
    await withNsqd([], async ({ tcpAddress, httpAddress }) => {
      using pinger = new Pinger(httpAddress);
      if (wants("commands")) times.push(...await play(pinger, commandCases(tcpAddress), plan));
      if (wants("http")) times.push(...await play(pinger, httpCases(httpAddress), plan));
      if (wants("messages")) times.push(...await play(pinger, await messageCases(httpAddress), plan));
      if (!wants("crowd")) return;
      const { cases, clients } = await crowdedCases({ tcpAddress, httpAddress });
      await using _ = clients;
      times.push(...await play(pinger, cases, plan));
    });
  }
  if (wants("topics")) {
    const metadata = manyTopicsMetadata();
    await withNsqd(["--metrics-max-series=0"], async ({ httpAddress }) => {
      using pinger = new Pinger(httpAddress);
      times.push(...await play(pinger, manyTopicsCases(httpAddress), plan));
    }, metadata);
    const statsd = await StatsdStandIn.listen();
    // In a second all packets go out one after the other.
    const args = [`--statsd-address=127.0.0.1:${statsd.port}`, "--statsd-interval=1s"];
    await withNsqd(args, async ({ httpAddress }) => {
      using pinger = new Pinger(httpAddress);
      times.push(...await play(pinger, [manyTopicsPush(() => statsd.push())], plan));
    }, metadata);
    await statsd.close();
  }
  if (wants("layers")) {
    const root = `${folder}/roots.pem`;
    await Deno.writeTextFile(root, ca.cert + chain.cert);
    const args = [
      `--tls-cert=${server.certPath}`,
      `--tls-key=${server.keyPath}`,
      `--tls-root-ca-file=${root}`,
      `--auth-http-address=${auth.address}`,
    ];
    await withNsqd(args, async ({ tcpAddress, httpAddress }) => {
      using pinger = new Pinger(httpAddress);
      const cases = layerCases(tcpAddress, { ca: ca.cert, chain }, (next) => answer = next);
      times.push(...await play(pinger, cases, plan));
    });
  }
  return times;
}

async function playNsqlookupd(plan: Plan): Promise<LoopTime[]> {
  if (plan.group !== undefined && !plan.group.startsWith("lookup")) return [];
  const args = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  await using lookupd = new ChildDaemon([...programCommand("nsqlookupd"), ...args]);
  const { tcpAddress, httpAddress } = await addressesOf(lookupd);
  using pinger = new Pinger(httpAddress);
  const times: LoopTime[] = [];
  if (plan.group !== "lookup-crowd") {
    times.push(...await play(pinger, lookupCases(tcpAddress, httpAddress), plan));
  }
  if (plan.group !== "lookup") {
    times.push(...await play(pinger, await crowdedLookupCases(tcpAddress, httpAddress), plan));
  }
  return times;
}

async function play(pinger: Pinger, cases: readonly LoopCase[], { only, plays }: Plan): Promise<LoopTime[]> {
  const times: LoopTime[] = [];
  for (const each of cases.filter(({ name }) => name.includes(only))) {
    const time = await measure(pinger, each, plays);
    console.error(`${time.leastMs.toFixed(1).padStart(8)} ms  ${time.name}`);
    times.push(time);
  }
  return times;
}

interface Addresses {
  readonly tcpAddress: string;
  readonly httpAddress: string;
}

async function addressesOf(daemon: ChildDaemon): Promise<Addresses> {
  return {
    tcpAddress: await daemon.logged(/TCP: listening on (\S+)/),
    httpAddress: await daemon.logged(/HTTP: listening on (\S+)/),
  };
}
