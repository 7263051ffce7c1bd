/**
 * nsqadmin and Go's side by side, in front of clusters of Go's daemons and ours. The environment variable `NSQ_BIN` names
 * the folder that holds the Go programs.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError, TempFolder } from "../support/interop.ts";

/** How to start a program: Go's, or ours. */
type Command = readonly string[];

/** With nodes on a machine that does other things, too. */
const PATIENT = ["--http-client-connect-timeout=60s", "--http-client-request-timeout=60s"];

/** A cluster of two nsqds, with an nsqadmin of each kind in front of it. */
class MixedCluster implements AsyncDisposable {
  readonly #started = new AsyncDisposableStack();
  readonly nsqds: string[] = [];
  /** Of Go's nsqadmin, and of ours. */
  readonly admins: string[] = [];
  readonly #go: (program: string) => Command;

  private constructor(folder: string) {
    this.#go = (program) => [`${folder}/${program}`];
  }

  /** With these programs for the nsqlookupd, if there is one, and the nsqds. */
  static async start(
    lookupd: "go" | "ours" | "none",
    nsqds: readonly ("go" | "ours")[],
  ): Promise<MixedCluster> {
    const folder = Deno.env.get("NSQ_BIN");
    if (folder === undefined) throw new MissingError("NSQ_BIN");
    const cluster = new MixedCluster(folder);
    try {
      await cluster.#start(lookupd, nsqds);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.disposeAsync();
  }

  async #start(lookupd: "go" | "ours" | "none", nsqds: readonly ("go" | "ours")[]): Promise<void> {
    const command = (kind: "go" | "ours", program: string) =>
      kind === "go" ? this.#go(program) : programCommand(program);
    let registered: string[] = [];
    let sources: string[] = [];
    if (lookupd !== "none") {
      const daemon = this.#run(command(lookupd, "nsqlookupd"), "--tcp-address=127.0.0.1:0");
      registered = [`--lookupd-tcp-address=${await tcpAddress(daemon)}`];
      sources = [`--lookupd-http-address=${await httpAddress(daemon)}`];
    }
    // Names by which they can be told apart, and are sorted.
    for (const [i, kind] of nsqds.entries()) {
      const folder = this.#started.use(await TempFolder.make());
      const daemon = this.#run(
        command(kind, "nsqd"),
        "--tcp-address=127.0.0.1:0",
        `--broadcast-address=${i === 0 ? "127.0.0.1" : "localhost"}`,
        `--data-path=${folder.path}`,
        "--e2e-processing-latency-percentile=0.5,0.99",
        ...registered,
      );
      this.nsqds.push(await httpAddress(daemon));
      if (lookupd === "none") sources.push(`--nsqd-http-address=${await httpAddress(daemon)}`);
    }
    for (const kind of ["go", "ours"] as const) {
      this.admins.push(await httpAddress(this.#run(command(kind, "nsqadmin"), ...sources, ...PATIENT)));
    }
  }

  #run(command: Command, ...args: readonly string[]): ChildDaemon {
    return this.#started.use(new ChildDaemon([...command, "--http-address=127.0.0.1:0", ...args]));
  }

  /** What both say, which is the same but for what differs on purpose. */
  async both(path: string): Promise<unknown[]> {
    return await Promise.all(this.admins.map(async (address) => {
      const response = await fetch(`http://${address}${path}`);
      return { status: response.status, json: comparable(await response.json()) };
    }));
  }

  /** Has one of them do something; the answer. */
  async change(admin: number, method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://${this.admins[admin]}${path}`, {
      method,
      ...body !== undefined && { body: JSON.stringify(body) },
    });
    return [response.status, await response.json()];
  }
}

/** Of which Go's 1.3.0 knows nothing yet, or that has no order there. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(comparable).sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  }
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([name]) =>
    !/_msg_count$|^topology_|^node_topology_|^connected$/.test(name)
  );
  return Object.fromEntries(fields.map(([name, field]) => [name, comparable(field)]));
}

function httpAddress(daemon: ChildDaemon): Promise<string> {
  return daemon.logged(/HTTP: listening on (\S+)/);
}

function tcpAddress(daemon: ChildDaemon): Promise<string> {
  return daemon.logged(/TCP: listening on (\S+)/);
}

async function post(url: string, body?: string): Promise<void> {
  const response = await fetch(url, { method: "POST", ...body !== undefined && { body } });
  assertEquals([response.status, url], [200, url], await response.text());
}

const CLUSTERS = [
  ["Go's nsqlookupd and nsqds of both kinds", "go", ["go", "ours"]],
  ["our nsqlookupd and nsqds of both kinds", "ours", ["ours", "go"]],
  ["a list of nsqds of both kinds", "none", ["go", "ours"]],
] as const;

for (const [what, lookupd, nsqds] of CLUSTERS) {
  interopTest(
    `nsqadmin says what Go's says of ${what}`,
    () => MixedCluster.start(lookupd, nsqds),
    async (cluster) => {
      for (const [i, nsqd] of cluster.nsqds.entries()) {
        await post(`http://${nsqd}/topic/create?topic=both`);
        await post(`http://${nsqd}/channel/create?topic=both&channel=c`);
        await post(`http://${nsqd}/topic/create?topic=own${i}`);
        await post(`http://${nsqd}/channel/create?topic=own${i}&channel=c%23ephemeral`);
        await post(`http://${nsqd}/pub?topic=both`, "body");
      }
      await post(`http://${cluster.nsqds[1]}/channel/pause?topic=both&channel=c`);
      await eventually("both know all of it", async () => {
        const [go, ours] = await cluster.both("/api/counter");
        assertEquals(ours, go);
        return (JSON.stringify(go).match(/"message_count":1/g) ?? []).length === 2;
      });
      const paths = [
        "/api/topics",
        "/api/topics?inactive=true",
        "/api/topics/own0",
        "/api/topics/own1",
        "/api/topics/both/c",
        "/api/topics/own1/c%23ephemeral",
        "/api/nodes",
        "/api/nodes/nobody",
        "/api/counter",
        ...cluster.nsqds.map((address, i) =>
          `/api/nodes/${i === 0 ? address : address.replace("127.0.0.1", "localhost")}`
        ),
      ];

      for (const path of paths) {
        // What is new is registered a little later.
        await eventually(`both say the same of ${path}`, async () => {
          const [go, ours] = await cluster.both(path);
          assertEquals({ path, answer: ours }, { path, answer: go });
          return true;
        });
      }
    },
  );

  interopTest(
    `nsqadmin changes what Go's changes of ${what}`,
    () => MixedCluster.start(lookupd, nsqds),
    async (cluster) => {
      const done = [200, { message: "" }];
      for (const [admin, topic] of ["go", "ours"].entries()) {
        for (const nsqd of cluster.nsqds) {
          await post(`http://${nsqd}/topic/create?topic=${topic}`);
          await post(`http://${nsqd}/channel/create?topic=${topic}&channel=c`);
        }
        await eventually("it is known", async () => {
          const [seen] = await cluster.both(`/api/topics/${topic}/c`) as { json: { nodes?: unknown[] } }[];
          return seen.json.nodes?.length === 2;
        });
        const paused = async () => {
          const [{ json }] = await cluster.both(`/api/topics/${topic}`) as {
            json: { nodes: { paused: boolean; channels: { paused: boolean }[] }[] };
          }[];
          return json.nodes.map((node) => [node.paused, ...node.channels.map((channel) => channel.paused)]);
        };

        assertEquals(await cluster.change(admin, "POST", `/api/topics/${topic}`, { action: "pause" }), done);
        assertEquals(
          await cluster.change(admin, "POST", `/api/topics/${topic}/c`, { action: "pause" }),
          done,
        );
        assertEquals(await paused(), [[true, true], [true, true]]);
        assertEquals(
          await cluster.change(admin, "POST", `/api/topics/${topic}`, { action: "unpause" }),
          done,
        );
        assertEquals(
          await cluster.change(admin, "POST", `/api/topics/${topic}/c`, { action: "empty" }),
          done,
        );
        assertEquals(await paused(), [[false, true], [false, true]]);
        assertEquals(await cluster.change(admin, "DELETE", `/api/topics/${topic}/c`), done);
        const [node] = cluster.nsqds;
        assertEquals(await cluster.change(admin, "DELETE", `/api/nodes/${node}`, { topic }), done);
        assertEquals(await cluster.change(admin, "DELETE", `/api/topics/${topic}`), done);
      }

      await eventually("there is no topic left", async () => {
        const [go, ours] = await cluster.both("/api/topics");
        assertEquals([go, ours], [{ status: 200, json: { topics: null, message: "" } }, go]);
        return true;
      });
    },
  );
}

interopTest(
  "nsqadmin taps and redrives nsqds of both kinds, and says that NSQ's cuts nobody off",
  () => MixedCluster.start("go", ["go", "ours"]),
  async (cluster) => {
    for (const nsqd of cluster.nsqds) {
      for (const [topic, channel] of [["orders", "c"], ["orders.failed", "d"]]) {
        await post(`http://${nsqd}/topic/create?topic=${topic}`);
        await post(`http://${nsqd}/channel/create?topic=${topic}&channel=${channel}`);
      }
      await post(`http://${nsqd}/mpub?topic=orders.failed`, "one\ntwo\nthree");
    }
    await eventually("it is known", async () => {
      const [seen] = await cluster.both("/api/topics/orders.failed/d") as { json: { depth?: number } }[];
      return seen.json.depth === 6;
    });
    const admin = `http://${cluster.admins[1]}`;

    const tapped = await fetch(`${admin}/tap/orders/events`);
    const tap = (tapped.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
    const order = { topic: "orders.failed", channel: "d", to: "orders" };
    await eventually("it is tapped on both", async () => {
      const [{ json }] = await cluster.both("/api/topics/orders") as {
        json: { channels: { nodes: unknown[] | null }[] };
      }[];
      // NSQ compat: of two nodes the first is not in the list.
      return json.channels.length === 2 && json.channels.every(({ nodes }) => nodes?.length === 1);
    });
    const begun = await cluster.change(1, "POST", "/api/redrives", order);
    assertEquals(begun, [200, { id: "1", count: 6, message: "" }]);
    let shown = "";
    while ((shown.match(/<tr>/g) ?? []).length < 6) {
      const { done, value } = await tap.read();
      if (done) throw new Error(`the tap has ended: ${shown}`);
      shown += value;
    }
    await tap.cancel();

    for (const body of ["one", "two", "three"]) {
      assertEquals(shown.split(`>${body}</code>`).length - 1, 2);
    }
    await eventually("all are there, and nothing else", async () => {
      const [orders] = await cluster.both("/api/topics/orders") as {
        json: { channels: { channel_name: string; depth: number }[] };
      }[];
      const [failed] = await cluster.both("/api/topics/orders.failed/d") as { json: { depth: number } }[];
      assertEquals(orders.json.channels.map(({ channel_name, depth }) => [channel_name, depth]), [["c", 6]]);
      return failed.json.depth === 0;
    });
    const reader = new Deno.Command(`${Deno.env.get("NSQ_BIN")}/nsq_tail`, {
      args: ["--topic=orders", "--channel=c2", `--nsqd-tcp-address=${await tcpOf(cluster.nsqds[0])}`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    await eventually("it consumes", async () => {
      const [{ json }] = await cluster.both("/api/topics/orders/c2") as { json: { clients?: unknown[] } }[];
      return json.clients?.length === 1;
    });
    const [, { message }] = await cluster.change(1, "POST", "/api/consumers/kick", {
      topic: "orders",
      channel: "c2",
      hostname: Deno.hostname(),
    }) as [number, { message: string }];
    assertMatch(message, /^WARNING: this nsqd does not offer it \(404\): it is NSQ's/);
    reader.kill();
    await reader.status;
  },
);

/** Where an nsqd serves TCP. */
async function tcpOf(address: string): Promise<string> {
  const { tcp_port } = await (await fetch(`http://${address}/info`)).json() as { tcp_port: number };
  return `127.0.0.1:${tcp_port}`;
}
