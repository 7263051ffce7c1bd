import { assertEquals } from "@std/assert";
import { BODY_SIZE_MAX } from "../../src/nsqadmin/api/writes.ts";
import {
  type ClusterInProcess,
  post,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const DONE = { message: "" };

/** Everything of the topics of both nodes that actions change. */
async function state({ nsqds }: ClusterInProcess) {
  return await Promise.all(nsqds.map(async (nsqd) => {
    const topic = await statsOf(nsqd, "t");
    return topic && {
      paused: topic.paused,
      depth: topic.depth,
      channels: topic.channels.map(({ channel_name, paused, depth }) => [channel_name, paused, depth]),
    };
  }));
}

/** A test with two nodes that have a topic `t` with a channel `c`. */
function changeTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({ nodes: 2 }, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

changeTest("POST /api/topics/:topic pauses and unpauses a topic on all nodes", async (cluster) => {
  const { admin } = cluster;

  assertEquals((await admin.ask("POST", "/api/topics/t", { body: { action: "pause" } })).json, DONE);
  assertEquals((await state(cluster)).map((topic) => topic?.paused), [true, true]);
  assertEquals((await admin.ask("POST", "/api/topics/t", { body: { action: "unpause" } })).json, DONE);
  assertEquals((await state(cluster)).map((topic) => topic?.paused), [false, false]);
});

changeTest(
  "POST /api/topics/:topic/:channel pauses, unpauses and empties a channel on all nodes",
  async (cluster) => {
    const { admin, nsqds } = cluster;
    for (const nsqd of nsqds) await publish(nsqd, "t", "body");

    await admin.ask("POST", "/api/topics/t/c", { body: { action: "pause" } });
    assertEquals((await state(cluster)).map((topic) => topic?.channels), [[["c", true, 1]], [[
      "c",
      true,
      1,
    ]]]);
    await admin.ask("POST", "/api/topics/t/c", { body: { action: "empty" } });
    await admin.ask("POST", "/api/topics/t/c", { body: { action: "unpause" } });
    assertEquals((await state(cluster)).map((topic) => topic?.channels), [[["c", false, 0]], [[
      "c",
      false,
      0,
    ]]]);
  },
);

changeTest("POST /api/topics/:topic empties a topic on all nodes", async (cluster) => {
  const { admin, nsqds } = cluster;
  for (const nsqd of nsqds) {
    await post(`${nsqd.httpUrl}/topic/pause?topic=t`);
    await publish(nsqd, "t", "body");
  }
  assertEquals((await state(cluster)).map((topic) => topic?.depth), [1, 1]);

  assertEquals((await admin.ask("POST", "/api/topics/t", { body: { action: "empty" } })).json, DONE);

  assertEquals((await state(cluster)).map((topic) => topic?.depth), [0, 0]);
});

changeTest("DELETE deletes a channel, and a topic, on all nodes and at the nsqlookupd", async (cluster) => {
  const { admin, lookupd } = cluster;

  assertEquals((await admin.ask("DELETE", "/api/topics/t/c")).json, DONE);
  assertEquals((await state(cluster)).map((topic) => topic?.channels), [[], []]);
  assertEquals(await lookupd.json("/channels?topic=t"), { channels: [] });
  assertEquals((await admin.ask("DELETE", "/api/topics/t")).json, DONE);
  assertEquals(await state(cluster), [undefined, undefined]);
  assertEquals(await lookupd.json("/topics"), { topics: [] });
});

changeTest(
  "POST /api/topics makes a topic known to the nsqlookupd, and a channel to the nodes, too",
  async (cluster) => {
    const { admin, lookupd } = cluster;

    assertEquals((await admin.ask("POST", "/api/topics", { body: { topic: "new" } })).json, DONE);
    assertEquals((await admin.ask("POST", "/api/topics", { body: { topic: "t", channel: "d" } })).json, DONE);

    assertEquals(await lookupd.json("/topics"), { topics: ["t", "new"] });
    assertEquals((await state(cluster)).map((topic) => topic?.channels.map(([name]) => name)), [["c", "d"], [
      "c",
      "d",
    ]]);
  },
);

changeTest(
  "DELETE /api/nodes/:node has one node forget a topic, for which the nsqlookupd does not tell of it",
  async (cluster) => {
    const { admin, nsqds, lookupd } = cluster;

    const answer = await admin.ask("DELETE", `/api/nodes/127.0.0.1:${nsqds[0].nsqd.httpPort}`, {
      body: { topic: "t" },
    });

    assertEquals(answer.json, DONE);
    assertEquals((await state(cluster)).map((topic) => topic !== undefined), [false, true]);
    const { producers } = await lookupd.json("/lookup?topic=t") as { producers: { http_port: number }[] };
    assertEquals(producers.map(({ http_port }) => http_port), [nsqds[1].nsqd.httpPort]);
  },
);

Deno.test("POST /api/topics makes a topic and channel on all of a list of nsqds", async () => {
  await withCluster({ nodes: 2, listed: true }, async (cluster) => {
    await cluster.admin.ask("POST", "/api/topics", { body: { topic: "t", channel: "c" } });

    assertEquals((await state(cluster)).map((topic) => topic?.channels), [[["c", false, 0]], [[
      "c",
      false,
      0,
    ]]]);
  });
});

const REFUSED:
  readonly (readonly [method: string, target: string, body: unknown, status: number, message: string])[] = [
    ["POST", "/api/topics", { topic: "b$d" }, 400, "INVALID_TOPIC"],
    ["POST", "/api/topics", {}, 400, "INVALID_TOPIC"],
    ["POST", "/api/topics", "null", 400, "INVALID_TOPIC"],
    ["DELETE", "/api/nodes/n", '\ufeff{"topic":"t"}', 400, "INVALID_BODY"],
    ["POST", "/api/topics", { topic: "t", channel: "b$d" }, 400, "INVALID_CHANNEL"],
    ["POST", "/api/topics", "", 400, "EOF"],
    ["POST", "/api/topics", { topic: 1 }, 400, "json: topic is no string"],
    ["POST", "/api/topics", '"text"', 400, "Not a JSON object"],
    ["POST", "/api/topics", " ".repeat(BODY_SIZE_MAX + 1), 413, "INVALID_BODY"],
    ["POST", "/api/topics/t", { action: "explode" }, 400, "INVALID_ACTION"],
    ["POST", "/api/topics/t/c", {}, 400, "INVALID_ACTION"],
    ["DELETE", "/api/nodes/n:1", "nope", 400, "INVALID_BODY"],
    ["DELETE", "/api/nodes/n:1", "", 400, "INVALID_BODY"],
    ["DELETE", "/api/nodes/n:1", { topic: "b$d" }, 400, "INVALID_TOPIC"],
    ["DELETE", "/api/counter", undefined, 405, "METHOD_NOT_ALLOWED"],
  ];

for (const [method, target, body, status, message] of REFUSED) {
  Deno.test(`${method} ${target} of ${JSON.stringify(body)?.slice(0, 40)} is refused with ${message}`, async () => {
    await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
      const answer = await admin.ask(method, target, { body });

      assertEquals([answer.status, answer.json], [status, { message }]);
    });
  });
}

Deno.test("A body may be as large as it may be, and its names are of any case, the last of each", async () => {
  await withCluster({}, async ({ admin, lookupd }) => {
    const body = `{"topic":"x","TOPIC":"y","other":{}}`.padEnd(BODY_SIZE_MAX);

    assertEquals((await admin.ask("POST", "/api/topics", { body })).json, DONE);

    assertEquals(await lookupd.json("/topics"), { topics: ["y"] });
  });
});

Deno.test("Only users who are named may change anything, whatever they send", async () => {
  await withCluster(
    { nsqadmin: { adminUsers: ["root", "alice"], aclHttpHeader: "X-My-User" } },
    async ({ admin, topic }) => {
      await topic("t", "c");
      const allowed = async (headers: Record<string, string>, body: unknown = { action: "pause" }) =>
        (await admin.ask("POST", "/api/topics/t", { body, headers })).status;

      assertEquals(await allowed({ "X-My-User": "root" }), 200);
      assertEquals(await allowed({ "x-my-user": "alice" }), 200);
      for (
        const headers of [{ "X-My-User": "Root" }, { "X-My-User": "" }, { "X-Forwarded-User": "root" }, {}]
      ) {
        assertEquals(await allowed(headers as Record<string, string>, "nonsense"), 403);
      }
      for (
        const [method, target] of [["POST", "/api/topics"], ["POST", "/api/topics/t/c"], [
          "DELETE",
          "/api/topics/t",
        ], [
          "DELETE",
          "/api/topics/t/c",
        ], ["DELETE", "/api/nodes/n:1"]]
      ) {
        const { status, json } = await admin.ask(method, target);
        assertEquals([method, target, status, json], [method, target, 403, { message: "FORBIDDEN" }]);
      }
      assertEquals((await admin.ask("GET", "/api/topics")).status, 200);
    },
  );
});

Deno.test("A page of another site changes nothing", async () => {
  await withCluster({}, async (cluster) => {
    await cluster.topic("t", "c");

    const { status, json } = await cluster.admin.ask("POST", "/api/topics/t/c", {
      body: { action: "pause" },
      headers: { Origin: "http://evil.example", "Content-Type": "text/plain" },
    });

    assertEquals([status, json], [403, { message: "FOREIGN_ORIGIN" }]);
    assertEquals((await state(cluster)).map((topic) => topic?.channels), [[["c", false, 0]]]);
  });
});

Deno.test("What one node cannot do, the others have done, and the answer warns of it", async () => {
  await withCluster({ nodes: 2, listed: true }, async (cluster) => {
    await post(`${cluster.nsqds[0].httpUrl}/topic/create?topic=t`);
    await post(`${cluster.nsqds[1].httpUrl}/topic/create?topic=t`);
    await post(`${cluster.nsqds[1].httpUrl}/channel/create?topic=t&channel=c`);

    const { status, json } = await cluster.admin.ask("POST", "/api/topics/t/c", {
      body: { action: "pause" },
    });

    assertEquals([status, json], [200, {
      message: 'WARNING: got response 404 Not Found "{\\"message\\":\\"CHANNEL_NOT_FOUND\\"}"',
    }]);
    assertEquals((await state(cluster)).map((topic) => topic?.channels), [[], [["c", true, 0]]]);
  });
});
