import { assertEquals } from "@std/assert";
import { pub } from "../../support/frames.ts";
import { RawClient } from "../../support/frames_client.ts";
import { eventually } from "../../support/eventually.ts";
import { interopTest } from "../../support/interop.ts";
import { goLookupd, LookupdProcess, OUR_LOOKUPD, type View } from "../../support/lookupd_process.ts";
import { nsqdCommand, type NsqdProcess, startNsqd } from "../../support/nsqd_process.ts";
import { freePort } from "../../support/ports.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";

/** Three nsqds, each registered with two nsqlookupds, with the second through a proxy of its own. */
class Cluster implements AsyncDisposable {
  readonly lookupds: readonly [LookupdProcess, LookupdProcess];
  /** From each nsqd to the second nsqlookupd. */
  readonly proxies: readonly TcpProxy[];
  readonly nsqds: NsqdProcess[];
  readonly #things: AsyncDisposableStack;

  private constructor(
    started: Pick<Cluster, "lookupds" | "proxies" | "nsqds"> & { readonly things: AsyncDisposableStack },
  ) {
    this.lookupds = started.lookupds;
    this.proxies = started.proxies;
    this.nsqds = started.nsqds;
    this.#things = started.things;
  }

  static async start(commands: readonly [readonly string[], readonly string[]]): Promise<Cluster> {
    await using things = new AsyncDisposableStack();
    const [one, two] = await Promise.all(
      commands.map(async (command) => things.use(await LookupdProcess.start(command))),
    );
    const proxies = [0, 1, 2].map(() => things.use(new TcpProxy(two.tcpAddress)));
    const nsqds = await Promise.all(
      proxies.map(async ({ address }) => things.use(await startNode([one.tcpAddress, address]))),
    );
    return new Cluster({ lookupds: [one, two], proxies, nsqds, things: things.move() });
  }

  /** TCP ports of these nsqds, or of all. */
  ports(...indexes: readonly number[]): number[] {
    const chosen = indexes.length === 0 ? this.nsqds : indexes.map((index) => this.nsqds[index]);
    return chosen.map(({ tcpAddress }) => Number(tcpAddress.split(":")[1])).sort((a, b) => a - b);
  }

  /** Makes a topic and a channel of it at an nsqd. */
  async addTopic(index: number, topic: string, channel: string): Promise<void> {
    const { httpAddress } = this.nsqds[index];
    await post(`http://${httpAddress}/topic/create?topic=${topic}`);
    await post(`http://${httpAddress}/channel/create?topic=${topic}&channel=${channel}`);
  }

  /** Waits until an nsqlookupd tells this. */
  async converges(index: number, expected: View): Promise<void> {
    await eventually("the same view", async () => {
      assertEquals(await this.lookupds[index].view(), expected);
      return true;
    });
  }

  /** Kills an nsqd as a crash would; it can be started again where it was. */
  async kill(index: number): Promise<() => Promise<void>> {
    const killed = this.nsqds[index];
    await killed.kill();
    return async () => {
      const addresses = [this.lookupds[0].tcpAddress, this.proxies[index].address];
      this.nsqds[index] = this.#things.use(await startNode(addresses, killed));
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#things.disposeAsync();
  }
}

/** Starts an nsqd, on ports that it can have again, or where another was before. */
async function startNode(
  lookupds: readonly string[],
  before?: Pick<NsqdProcess, "dataPath" | "tcpAddress" | "httpAddress">,
): Promise<NsqdProcess> {
  const {
    tcpAddress = `127.0.0.1:${freePort()}`,
    httpAddress = `127.0.0.1:${freePort()}`,
    dataPath,
  } = before ?? {};
  return await startNsqd({
    command: nsqdCommand(),
    args: [
      ...lookupds.map((address) => `--lookupd-tcp-address=${address}`),
      "--broadcast-address=127.0.0.1",
      `--tcp-address=${tcpAddress}`,
      `--http-address=${httpAddress}`,
    ],
    ...dataPath !== undefined && { dataPath },
  });
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  await response.body?.cancel();
  assertEquals(response.status, 200, url);
}

/** The test with nsqlookupds of our own, and with one of Go's where there is one. */
function clusterTest(name: string, test: (cluster: Cluster) => Promise<void>): void {
  const run = async (cluster: Cluster) => {
    try {
      await test(cluster);
    } catch (error) {
      for (const { log } of cluster.nsqds) console.error(`--- log of an nsqd ---\n${log.slice(-5000)}`);
      throw error;
    }
  };
  Deno.test(name, async () => {
    await using cluster = await Cluster.start([OUR_LOOKUPD, OUR_LOOKUPD]);
    await run(cluster);
  });
  interopTest(`${name} (with Go's nsqlookupd)`, () => Cluster.start([goLookupd(), OUR_LOOKUPD]), run);
}

clusterTest("A cluster of three nsqds looks the same to two nsqlookupds", async (cluster) => {
  await cluster.addTopic(0, "all", "c");
  await cluster.addTopic(1, "all", "d");
  await cluster.addTopic(2, "all", "c");
  await cluster.addTopic(1, "one", "c");

  const expected = {
    nodes: cluster.ports(),
    topics: {
      all: [["c", "d"], cluster.ports()] as const,
      one: [["c"], cluster.ports(1)] as const,
    },
  };
  await cluster.converges(0, expected);
  await cluster.converges(1, expected);
});

clusterTest(
  "A killed nsqd is gone from a cluster, and is back with its topics when it starts again",
  async (cluster) => {
    await cluster.addTopic(0, "t", "c");
    await cluster.addTopic(1, "t", "c");
    // The metadata file is written soon after.
    const metadataPath = `${cluster.nsqds[1].dataPath}/nsqd.dat`;
    await eventually("metadata", () => Deno.readTextFileSync(metadataPath).includes('"name":"c"'));
    const ports = cluster.ports();
    const withAll = { nodes: ports, topics: { t: [["c"], cluster.ports(0, 1)] as const } };
    const without = { nodes: cluster.ports(0, 2), topics: { t: [["c"], cluster.ports(0)] as const } };
    for (const index of [0, 1]) await cluster.converges(index, withAll);

    const startAgain = await cluster.kill(1);
    for (const index of [0, 1]) await cluster.converges(index, without);
    await startAgain();

    for (const index of [0, 1]) await cluster.converges(index, withAll);
  },
);

clusterTest("A killed nsqlookupd knows the cluster again soon after it starts again", async (cluster) => {
  for (const index of [0, 1, 2]) await cluster.addTopic(index, "t", `c${index}`);
  const expected = { nodes: cluster.ports(), topics: { t: [["c0", "c1", "c2"], cluster.ports()] as const } };
  await cluster.converges(0, expected);

  await cluster.lookupds[0].kill();
  // What happens meanwhile is not lost.
  await cluster.addTopic(0, "meanwhile", "c");
  await cluster.lookupds[0].startAgain();

  const later = {
    ...expected,
    topics: { ...expected.topics, meanwhile: [["c"], cluster.ports(0)] as const },
  };
  await cluster.converges(0, later);
  await cluster.converges(1, later);
});

clusterTest(
  "A cluster with an nsqd cut off from one nsqlookupd goes on, and converges afterwards",
  async (cluster) => {
    await cluster.addTopic(2, "before", "c");
    const before = { before: [["c"], cluster.ports(2)] as const };
    for (const index of [0, 1]) await cluster.converges(index, { nodes: cluster.ports(), topics: before });

    cluster.proxies[2].cut();
    await cluster.addTopic(2, "during", "c");
    const during = { ...before, during: [["c"], cluster.ports(2)] as const };
    await cluster.converges(0, { nodes: cluster.ports(), topics: during });
    await cluster.converges(1, { nodes: cluster.ports(0, 1), topics: { before: [["c"], []] } });
    cluster.proxies[2].heal();

    await cluster.converges(1, { nodes: cluster.ports(), topics: during });
  },
);

clusterTest(
  "A cluster goes on when one nsqlookupd hears nothing any more, and converges afterwards",
  async (cluster) => {
    for (const index of [0, 1]) await cluster.converges(index, { nodes: cluster.ports(), topics: {} });

    for (const proxy of cluster.proxies) proxy.hold();
    await cluster.addTopic(0, "t", "c");
    await cluster.addTopic(1, "t", "d");
    const expected = { nodes: cluster.ports(), topics: { t: [["c", "d"], cluster.ports(0, 1)] as const } };
    await cluster.converges(0, expected);
    for (const index of [0, 1]) {
      await eventually("the silence is noticed", () => cluster.nsqds[index].log.includes("i/o timeout"));
    }
    for (const proxy of cluster.proxies) proxy.heal();

    await cluster.converges(1, expected);
  },
);

clusterTest(
  "A topic's first message at one nsqd of a cluster is for the channels that others have",
  async (cluster) => {
    await cluster.addTopic(0, "t", "c");
    await cluster.addTopic(1, "t", "d");
    await cluster.converges(0, { nodes: cluster.ports(), topics: { t: [["c", "d"], cluster.ports(0, 1)] } });
    const nsqd = cluster.nsqds[2];

    using producer = await RawClient.connect(nsqd.tcpAddress);
    assertEquals(await producer.ask(pub("t", "first")), "OK");

    for (const channel of ["c", "d"]) {
      using consumer = await RawClient.connect(nsqd.tcpAddress);
      await consumer.ask(`SUB t ${channel}\n`);
      await consumer.send("RDY 1\n");
      assertEquals((await consumer.message()).body, "first");
    }
  },
);
