/**
 * What others have made for NSQ, built by Go from its module proxy, gives the same on this nsqd as on NSQ's: Telegraf's three
 * plugins, Prometheus' statsd_exporter with Grafana's mapping, and the requests of KEDA's scaler. The builds take minutes, so
 * these tests run only where `DENOSQ_INTEGRATIONS` names a folder that keeps them, and NSQ_BIN NSQ's programs:
 *
 *     DENOSQ_INTEGRATIONS=/tmp/integrations NSQ_BIN=… deno test -A tests/interop/integrations_test.ts
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { identify } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { runProgram, TempFolder } from "../support/interop.ts";
import { LookupdProcess } from "../support/lookupd_process.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { freePort } from "../support/ports.ts";

const TELEGRAF = "github.com/influxdata/telegraf";
const TELEGRAF_VERSION = "v1.37.2";
const TELEGRAF_TAGS =
  "custom,inputs.file,inputs.nsq,inputs.nsq_consumer,outputs.file,outputs.nsq,parsers.value,serializers.influx";
const STATSD_EXPORTER = "github.com/prometheus/statsd_exporter@v0.31.0";
const KEDA = "github.com/kedacore/keda/v2@v2.21.0";
const BUILD_TIMEOUT_MS = 30 * 60_000;
const PATIENCE = { timeoutMs: 30_000 };
const GO_ENV = { GOFLAGS: "-mod=mod", GOTOOLCHAIN: "auto", CGO_ENABLED: "0" };

/** A test that is left out, whatever else is required, unless it is asked for. */
function integrationTest(name: string, test: (binaries: string, nsqBin: string) => Promise<void>): void {
  Deno.test(name, async (context) => {
    const binaries = Deno.env.get("DENOSQ_INTEGRATIONS");
    const nsqBin = Deno.env.get("NSQ_BIN");
    if (binaries && nsqBin) return await test(binaries, nsqBin);
    await context.step({ name: "needs DENOSQ_INTEGRATIONS and NSQ_BIN", ignore: true, fn: () => {} });
  });
}

/** The same done with both nsqds; what it tells must be equal. */
async function sameOnBoth<T>(nsqBin: string, work: (nsqd: NsqdProcess) => Promise<T>, args: string[] = []) {
  const results: T[] = [];
  for (const command of [undefined, [`${nsqBin}/nsqd`]]) {
    const broadcast = "--broadcast-address=127.0.0.1";
    await using nsqd = await startNsqd({ args: [broadcast, ...args], ...command && { command } });
    results.push(await nsqd.run(() => work(nsqd)));
  }
  assertEquals(results[0], results[1]);
  return results[0];
}

/** A topic with two channels, messages, and a consumer that has one of them. */
async function scene(nsqd: NsqdProcess): Promise<RawClient> {
  for (
    const target of [
      "topic/create?topic=t",
      "channel/create?topic=t&channel=c",
      "channel/create?topic=t&channel=d",
    ]
  ) {
    await post(nsqd, target);
  }
  await post(nsqd, "mpub?topic=t", "one\ntwo\nthree");
  const client = await RawClient.connect(nsqd.tcpAddress);
  const answer = await client.ask(identify({ client_id: "id", hostname: "host", user_agent: "agent/1" }));
  assertEquals([answer, await client.ask("SUB t c\n")], ["OK", "OK"]);
  await client.send("RDY 1\n");
  await client.message();
  return client;
}

integrationTest("Telegraf's inputs.nsq tells the same of both", async (binaries, nsqBin) => {
  const telegraf = await buildTelegraf(binaries);
  const lines = await sameOnBoth(nsqBin, async (nsqd) => {
    using _ = await scene(nsqd);
    const config = `[[inputs.nsq]]\nendpoints = ["http://${nsqd.httpAddress}"]\n`;
    const text = await runTelegraf(telegraf, config, ["--test"]);
    return text.split("\n").filter((line) => line.startsWith("> nsq_"))
      .map((line) =>
        line.replace(/ \d+$/, "").replaceAll(/127\.0\.0\.1:\d+/g, "address").replace(/host=[^, ]+,/, "")
      )
      .sort();
  });
  assert(lines.length >= 5, lines.join("\n"));
});

integrationTest("Telegraf's inputs.nsq_consumer reads the same of both", async (binaries, nsqBin) => {
  const telegraf = await buildTelegraf(binaries);
  const values = await sameOnBoth(nsqBin, async (nsqd) => {
    await post(nsqd, "mpub?topic=t", "one\ntwo\nthree");
    const config = `[[inputs.nsq_consumer]]\nnsqd = ["${nsqd.tcpAddress}"]\ntopic = "t"\nchannel = "c"\n` +
      'max_in_flight = 100\ndata_format = "value"\ndata_type = "string"\n';
    const text = await runTelegraf(telegraf, config, ["--test", "--test-wait", "3"]);
    return [...text.matchAll(/value="(\w+)"/g)].map(([, value]) => value).sort();
  });
  assertEquals(values, ["one", "three", "two"]);
});

integrationTest("Telegraf's outputs.nsq publishes the same to both", async (binaries, nsqBin) => {
  const telegraf = await buildTelegraf(binaries);
  const bodies = await sameOnBoth(nsqBin, async (nsqd) => {
    await using folder = await TempFolder.make();
    await Deno.writeTextFile(`${folder.path}/value`, "42\n");
    const config = `[agent]\nomit_hostname = true\n[[inputs.file]]\nfiles = ["${folder.path}/value"]\n` +
      'data_format = "value"\ndata_type = "integer"\nname_override = "answer"\n' +
      `[[outputs.nsq]]\nserver = "${nsqd.tcpAddress}"\ntopic = "t"\ndata_format = "influx"\n`;
    await runTelegraf(telegraf, config, ["--once"]);
    using client = await RawClient.connect(nsqd.tcpAddress);
    assertEquals(await client.ask("SUB t c\n"), "OK");
    await client.send("RDY 1\n");
    return (await client.message()).body.replace(/ \d+\n$/, "");
  });
  assertEquals(bodies, "answer value=42i");
});

integrationTest("statsd_exporter makes the same metrics of both", async (binaries, nsqBin) => {
  const exporter = await build(
    binaries,
    "statsd_exporter",
    (env) => runProgram("go", { args: ["install", STATSD_EXPORTER], env, timeoutMs: BUILD_TIMEOUT_MS }),
  );
  const [udp, web] = [freePort(), freePort()];
  const mapping = fileURLToPath(new URL("statsd_mapping.yml", import.meta.url));
  const flags = [
    `--statsd-address=127.0.0.1:${udp}`,
    "--statsd-interval=1500ms",
    "--e2e-processing-latency-percentile=0.99",
  ];
  const metrics = await sameOnBoth(nsqBin, async (nsqd) => {
    await using _ = new ChildDaemon([
      exporter,
      `--statsd.listen-udp=127.0.0.1:${udp}`,
      "--statsd.listen-tcp=",
      `--web.listen-address=127.0.0.1:${web}`,
      `--statsd.mapping-config=${mapping}`,
    ]);
    using _client = await scene(nsqd);
    return await eventually("the metrics", async () => {
      const series = await nsqSeries(`http://127.0.0.1:${web}/metrics`);
      return series.some((line) =>
        line.startsWith("nsq_topic_channel_in_flight_count") && line.endsWith(" 1")
      ) &&
        series.some((line) => line.startsWith("nsq_mem_gc_runs")) && series;
    }, PATIENCE);
  }, flags);
  assert(metrics.length > 20, metrics.join("\n"));
});

integrationTest("KEDA's scaler gets the same depths of both", async (binaries, nsqBin) => {
  const keda = await build(binaries, "keda", buildKeda);
  await using lookupd = await LookupdProcess.start();
  const depths = await sameOnBoth(nsqBin, async (nsqd) => {
    using _ = await scene(nsqd);
    await post(nsqd, "channel/pause?topic=t&channel=c");
    await eventually(
      "it is registered",
      async () => (await lookupd.view())?.topics.t?.[0].length === 2,
      PATIENCE,
    );
    const depthOf = async (topic: string, channel: string) =>
      (await runProgram(keda, { args: [lookupd.httpAddress, topic, channel] })).stdout.trim();
    const depths = [
      await depthOf("t", "d"),
      await depthOf("t", "c"),
      await depthOf("t", "x"),
      await depthOf("x", "x"),
    ];
    await post(nsqd, "topic/delete?topic=t");
    await eventually("it is gone", async () => (await lookupd.view())?.topics.t?.[1].length === 0, PATIENCE);
    return depths;
  }, [`--lookupd-tcp-address=${lookupd.tcpAddress}`]);
  assertEquals(depths, ["3", "0", "0", "0"]);
});

/** The series of NSQ, without what differs from node to node. */
async function nsqSeries(url: string): Promise<string[]> {
  let text: string;
  try {
    text = await (await fetch(url)).text();
  } catch (error) {
    // It does not listen yet.
    if (error instanceof TypeError) return [];
    throw error;
  }
  return text.split("\n").filter((line) => line.startsWith("nsq_"))
    .map((line) => line.replace(/instance="[^"]*"/, "instance").replace(/^(nsq_mem_.*) \S+$/, "$1"));
}

function buildTelegraf(binaries: string): Promise<string> {
  return build(binaries, "telegraf", async (env, target) => {
    await using folder = await TempFolder.make();
    const go = (...args: string[]) =>
      runProgram("go", { args, cwd: folder.path, env, timeoutMs: BUILD_TIMEOUT_MS });
    await go("mod", "init", "integrations");
    await go("get", `${TELEGRAF}@${TELEGRAF_VERSION}`);
    await go("build", "-tags", TELEGRAF_TAGS, "-o", target, `${TELEGRAF}/cmd/telegraf`);
  });
}

/** Takes the functions out of KEDA's source, and builds them with a shim. */
async function buildKeda(env: Readonly<Record<string, string>>, target: string): Promise<void> {
  await using folder = await TempFolder.make();
  const go = (...args: string[]) =>
    runProgram("go", { args, cwd: folder.path, env, timeoutMs: BUILD_TIMEOUT_MS });
  await go("mod", "init", "keda");
  const { Dir } = JSON.parse((await go("mod", "download", "-json", KEDA)).stdout);
  const source = await Deno.readTextFile(`${Dir}/pkg/scalers/nsq_scaler.go`);
  const entry = /^func \(s nsqScaler\) getTopicChannelDepth[\s\S]*?^\}$/m.exec(source)?.[0];
  const rest = source.slice(source.indexOf("type lookupResponse struct"));
  assert(entry !== undefined && rest.length > 1000, "KEDA's source is not as it was");
  const shim = await Deno.readTextFile(new URL("go_keda/shim.go", import.meta.url));
  await Deno.writeTextFile(
    `${folder.path}/main.go`,
    `${shim}\n${entry}\n\n${rest}`,
  );
  await go("build", "-o", target, ".");
}

/** A program that is built if it is not there yet. */
async function build(
  binaries: string,
  name: string,
  make: (env: Readonly<Record<string, string>>, target: string) => Promise<unknown>,
): Promise<string> {
  await Deno.mkdir(binaries, { recursive: true });
  const target = `${await Deno.realPath(binaries)}/${name}`;
  try {
    await Deno.stat(target);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await make({ ...GO_ENV, GOBIN: await Deno.realPath(binaries) }, target);
  }
  return target;
}

async function runTelegraf(telegraf: string, config: string, args: readonly string[]): Promise<string> {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(`${folder.path}/telegraf.conf`, config);
  const { stdout } = await runProgram(telegraf, {
    args: ["--config", `${folder.path}/telegraf.conf`, ...args],
  });
  return stdout;
}

async function post(nsqd: NsqdProcess, target: string, body = ""): Promise<void> {
  const response = await fetch(`http://${nsqd.httpAddress}/${target}`, { method: "POST", body });
  await response.body?.cancel();
  assertEquals(response.status, 200, target);
}
