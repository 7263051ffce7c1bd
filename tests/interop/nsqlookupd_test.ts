/**
 * Go's nsqd, nsqadmin and tools, and nsqjs, with this project's nsqlookupd. The environment variable `NSQ_BIN` names
 * the folder that holds the Go programs.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { NsqlookupdOptions } from "../../src/nsqlookupd/options.ts";
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError, runProgram, TempFolder } from "../support/interop.ts";
import { type NsqlookupdInProcess, withNsqlookupd } from "../support/nsqlookupd_in_process.ts";
import { installNsqjs } from "../support/nsqjs.ts";
import { freePort } from "../support/ports.ts";

const BODIES = Array.from({ length: 100 }, (_, index) => `message ${index}`);

/** The Go programs, with a folder for their data. */
interface GoPrograms extends AsyncDisposable {
  /** The folder that they are in. */
  readonly path: string;
  readonly dataPath: string;
}

/** Go's nsqd, running. */
interface GoNsqd {
  readonly daemon: ChildDaemon;
  readonly tcpAddress: string;
  readonly httpAddress: string;
}

/** A test with an nsqlookupd and a Go nsqd that knows it. */
function clusterTest(
  name: string,
  test: (lookupd: NsqlookupdInProcess, nsqd: GoNsqd, programs: GoPrograms) => Promise<void>,
  options: Partial<NsqlookupdOptions> = {},
): void {
  interopTest(name, findPrograms, async (programs) => {
    await withNsqlookupd(options, async (lookupd) => {
      await using daemon = startGoNsqd(programs, lookupd.tcpAddress);
      await test(lookupd, await listening(daemon), programs);
    });
  });
}

clusterTest("Go's nsqd registers its topics and channels, until it stops", async (lookupd, nsqd) => {
  await post(nsqd, "/topic/create?topic=orders", "/channel/create?topic=orders&channel=mail");
  await post(nsqd, "/topic/create?topic=bare");

  await told(lookupd, "/lookup?topic=orders", ({ channels, producers }) => [channels, producers?.length], [[
    "mail",
  ], 1]);
  await told(lookupd, "/topics", ({ topics }) => topics?.sort(), ["bare", "orders"]);
  await told(
    lookupd,
    "/nodes",
    ({ producers }) =>
      producers?.map(({ tcp_port, http_port }) => [`127.0.0.1:${tcp_port}`, `127.0.0.1:${http_port}`]),
    [[nsqd.tcpAddress, nsqd.httpAddress]],
  );

  nsqd.daemon.kill("SIGTERM");
  await nsqd.daemon.ended();

  await told(lookupd, "/nodes", ({ producers }) => producers, []);
  await told(lookupd, "/lookup?topic=orders", ({ channels, producers }) => [channels, producers?.length], [[
    "mail",
  ], 0]);
});

for (
  const [what, options] of [
    ["is full", { maxRegistrations: 4 }],
    ["takes no more from one node", { maxRegistrationsPerConnection: 4 }],
  ] as const
) {
  clusterTest(
    `Go's nsqd keeps what it has registered with an nsqlookupd that ${what}`,
    async (lookupd, nsqd) => {
      await post(nsqd, "/topic/create?topic=orders", "/channel/create?topic=orders&channel=mail");
      await post(nsqd, "/topic/create?topic=bare", "/topic/create?topic=last");
      await told(lookupd, "/topics", ({ topics }) => topics?.sort(), ["bare", "last", "orders"]);

      await post(nsqd, "/topic/create?topic=one_more", "/channel/create?topic=one_more&channel=c");
      const refused = () => lookupd.lines.filter((line) => line.includes("too many topics and channels"));
      await eventually("both are refused", () => refused().length === 2);
      await post(nsqd, "/topic/delete?topic=last", "/channel/create?topic=bare&channel=now");

      await told(lookupd, "/lookup?topic=bare", ({ channels, producers }) => [channels, producers?.length], [[
        "now",
      ], 1]);
      await told(
        lookupd,
        "/lookup?topic=orders",
        ({ channels, producers }) => [channels, producers?.length],
        [[
          "mail",
        ], 1],
      );
      assertEquals(lookupd.lines.filter((line) => line.startsWith("INFO: TCP: new client")).length, 1);
    },
    options,
  );
}

clusterTest("Go's nsqd unregisters what is deleted", async (lookupd, nsqd) => {
  await post(
    nsqd,
    "/topic/create?topic=t",
    "/channel/create?topic=t&channel=c%23ephemeral",
  );
  await told(lookupd, "/channels?topic=t", ({ channels }) => channels, ["c#ephemeral"]);

  await post(nsqd, "/channel/delete?topic=t&channel=c%23ephemeral");
  await told(lookupd, "/channels?topic=t", ({ channels }) => channels, []);
  await post(nsqd, "/topic/delete?topic=t");

  await told(lookupd, "/lookup?topic=t", ({ producers }) => producers, []);
});

clusterTest("Go's nsqd gives a new topic the channels that nsqlookupd knows", async (lookupd, nsqd) => {
  const created = await fetch(`http://${lookupd.httpAddress}/channel/create?topic=t&channel=known`, {
    method: "POST",
  });
  await created.body?.cancel();
  // The first may be registered while it still connects; when the second is, it knows whom to ask.
  for (const topic of ["first", "second"]) {
    await post(nsqd, `/topic/create?topic=${topic}`);
    await told(lookupd, `/lookup?topic=${topic}`, ({ producers }) => producers?.length, 1);
  }

  await post(nsqd, "/pub?topic=t");

  await eventually("the channel is there", async () => {
    const { topics } = await getJson(nsqd.httpAddress, "/stats?format=json") as {
      topics: { topic_name: string; channels: { channel_name: string }[] }[];
    };
    const channels = topics.find(({ topic_name }) => topic_name === "t")?.channels;
    assertEquals(channels?.map(({ channel_name }) => channel_name), ["known"]);
    return true;
  });
});

interopTest(
  "Go's nsqd registers anew with an nsqlookupd that was started anew",
  findPrograms,
  async (programs) => {
    const tcpAddress = `127.0.0.1:${freePort()}`;
    let count = 0;
    await using daemons = new AsyncDisposableStack();
    let nsqd: GoNsqd | undefined;
    await withNsqlookupd({ tcpAddress }, async (lookupd) => {
      nsqd = await listening(daemons.use(startGoNsqd(programs, tcpAddress)));
      await post(nsqd, "/topic/create?topic=before", "/channel/create?topic=before&channel=c");
      await told(lookupd, "/lookup?topic=before", ({ producers }) => producers?.length, 1);
    });

    await withNsqlookupd({ tcpAddress }, async (lookupd) => {
      // Without news it would notice at its next ping, up to 15 s later.
      await eventually("it has registered", async () => {
        if (nsqd) await post(nsqd, `/topic/create?topic=after${count++}`);
        const { channels, producers } = await answer(lookupd, "/lookup?topic=before");
        assertEquals([channels, producers?.length], [["c"], 1]);
        return true;
      });
    });
  },
);

clusterTest(
  "go-nsq, in Go's nsq_tail, finds producers through nsqlookupd",
  async (lookupd, nsqd, { path }) => {
    await publish(nsqd, "t");

    const { stdout } = await runProgram(`${path}/nsq_tail`, {
      args: [
        `--lookupd-http-address=${lookupd.httpAddress}`,
        "--topic=t",
        "--channel=tail",
        `-n=${BODIES.length}`,
      ],
    });

    // NSQ promises no order.
    assertEquals(stdout.trimEnd().split("\n").sort(), [...BODIES].sort());
  },
);

clusterTest("nsqjs finds producers through nsqlookupd", async (lookupd, nsqd) => {
  await using folder = await installNsqjs("lookup.js");
  await publish(nsqd, "t");
  await told(lookupd, "/lookup?topic=t", ({ producers }) => producers?.length, 1);

  const asked = { lookupd: lookupd.httpAddress, topic: "t", channel: "c", messages: BODIES.length };
  const { stdout } = await runProgram("node", {
    args: ["lookup.js", JSON.stringify(asked)],
    cwd: folder.path,
  });

  assertEquals(JSON.parse(stdout).sort(), [...BODIES].sort());
});

clusterTest(
  "Go's nsqadmin shows and changes a cluster through nsqlookupd",
  async (lookupd, nsqd, { path }) => {
    await post(nsqd, "/topic/create?topic=t", "/topic/create?topic=u", "/channel/create?topic=t&channel=c");
    await told(lookupd, "/topics", ({ topics }) => topics?.sort(), ["t", "u"]);
    await using admin = new ChildDaemon([
      `${path}/nsqadmin`,
      "--http-address=127.0.0.1:0",
      `--lookupd-http-address=${lookupd.httpAddress}`,
    ]);
    const adminAddress = `127.0.0.1:${await admin.logged(/HTTP: listening on \S+:(\d+)/)}`;
    const node = nsqd.httpAddress;
    const request = (method: string, target: string, body: unknown) =>
      fetch(`http://${adminAddress}${target}`, { method, body: JSON.stringify(body) });

    const { topics } = await getJson(adminAddress, "/api/topics") as { topics: string[] };
    assertEquals(topics.sort(), ["t", "u"]);
    const { nodes } = await getJson(adminAddress, "/api/nodes") as {
      nodes: { topics: { topic: string }[] }[];
    };
    assertEquals(nodes.map((each) => each.topics.map(({ topic }) => topic).sort()), [["t", "u"]]);
    const { channels } = await getJson(adminAddress, "/api/topics/t") as {
      channels: { channel_name: string }[];
    };
    assertEquals(channels.map(({ channel_name }) => channel_name), ["c"]);

    // A topic and a channel are made in nsqlookupd first.
    const created = await request("POST", "/api/topics", { topic: "made", channel: "too" });
    assertEquals(created.status, 200);
    await told(lookupd, "/channels?topic=made", (answer) => answer.channels, ["too"]);

    // A node's topic is tombstoned, and deleted from the node.
    const tombstoned = await request("DELETE", `/api/nodes/${node}`, { topic: "t" });
    assertEquals(tombstoned.status, 200);
    await told(lookupd, "/lookup?topic=t", ({ producers }) => producers, []);

    const deleted = await request("DELETE", "/api/topics/u", {});
    assertEquals(deleted.status, 200);
    await told(lookupd, "/topics", (answer) => answer.topics?.includes("u"), false);
    for (const response of [created, tombstoned, deleted]) await response.body?.cancel();
  },
);

/** Parts of nsqlookupd's answers. */
interface Answer {
  readonly topics?: string[];
  readonly channels?: string[];
  readonly producers?: { readonly tcp_port: number; readonly http_port: number }[];
}

async function answer(lookupd: NsqlookupdInProcess, target: string): Promise<Answer> {
  return await lookupd.json(target) as Answer;
}

/** Waits until nsqlookupd tells that. */
async function told(
  lookupd: NsqlookupdInProcess,
  target: string,
  part: (answer: Answer) => unknown,
  expected: unknown,
): Promise<void> {
  await eventually(target, async () => {
    assertEquals(part(await answer(lookupd, target)), expected);
    return true;
  });
}

/** Asks nsqd for each of these in turn. */
async function post({ httpAddress }: GoNsqd, ...targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const response = await fetch(`http://${httpAddress}${target}`, { method: "POST", body: "x" });
    await response.body?.cancel();
    assertEquals(response.status, 200, target);
  }
}

async function publish({ httpAddress }: GoNsqd, topic: string): Promise<void> {
  const response = await fetch(`http://${httpAddress}/mpub?topic=${topic}`, {
    method: "POST",
    body: BODIES.join("\n"),
  });
  await response.body?.cancel();
  assertEquals(response.status, 200);
}

async function getJson(address: string, target: string): Promise<unknown> {
  const response = await fetch(`http://${address}${target}`);
  return await response.json();
}

function startGoNsqd({ path, dataPath }: GoPrograms, lookupdTcpAddress: string): ChildDaemon {
  return new ChildDaemon([
    `${path}/nsqd`,
    "--tcp-address=127.0.0.1:0",
    "--http-address=127.0.0.1:0",
    "--broadcast-address=127.0.0.1",
    `--lookupd-tcp-address=${lookupdTcpAddress}`,
    `--data-path=${dataPath}`,
  ]);
}

async function listening(daemon: ChildDaemon): Promise<GoNsqd> {
  const address = async (name: string) =>
    `127.0.0.1:${await daemon.logged(new RegExp(`${name}: listening on \\S+:(\\d+)`))}`;
  return { daemon, tcpAddress: await address("TCP"), httpAddress: await address("HTTP") };
}

async function findPrograms(): Promise<GoPrograms> {
  const path = Deno.env.get("NSQ_BIN");
  if (!path) throw new MissingError("the environment variable NSQ_BIN, the folder of NSQ's programs");
  await runProgram(`${path}/nsqd`, { args: ["--version"] });
  const folder = await TempFolder.make();
  return { path, dataPath: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}
