import { assert, assertEquals, assertMatch } from "@std/assert";
import { FakeHttp } from "../support/fake_http.ts";
import { post, publish, withCluster, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { withNsqlookupd } from "../support/nsqlookupd_in_process.ts";
import { deadAddress } from "../support/ports.ts";

/** What of the answers that have numbers is looked at here. */
interface Numbers {
  readonly node: string;
  readonly depth: number;
  readonly message_count: number;
  readonly nodes: readonly Numbers[];
  readonly message: string;
}

Deno.test("nsqadmin tells topics, nodes and numbers of a cluster that an nsqlookupd knows", async () => {
  await withCluster({ nodes: 2 }, async ({ nsqds, admin, topic }) => {
    await topic("t", "c");
    for (const nsqd of nsqds) await publish(nsqd, "t", "body");

    assertEquals(await admin.json("/api/topics"), { topics: ["t"], message: "" });
    const { nodes } = await admin.json("/api/nodes") as { nodes: { http_port: number; topics: unknown }[] };
    assertEquals(
      nodes.map(({ http_port }) => http_port).sort(),
      nsqds.map(({ nsqd }) => nsqd.httpPort).sort(),
    );
    assertEquals(nodes.map(({ topics }) => topics), nodes.map(() => [{ topic: "t", tombstoned: false }]));

    const sum = await admin.json("/api/topics/t") as Numbers;
    const channel = await admin.json("/api/topics/t/c") as Numbers;
    assertEquals([sum.node, sum.message_count, sum.nodes.length, sum.message], ["*", 2, 2, ""]);
    assertEquals([channel.node, channel.depth, channel.nodes.length, channel.message], ["*", 2, 2, ""]);

    const address = `127.0.0.1:${nsqds[0].nsqd.httpPort}`;
    const node = await admin.json(`/api/nodes/${address}`) as Record<string, unknown>;
    assertEquals([node.node, node.total_messages, node.total_clients], [address, 1, 0]);
    const { stats } = await admin.json("/api/counter") as { stats: Record<string, unknown> };
    assertEquals(stats[`t:c:${address}`], {
      node: address,
      topic_name: "t",
      channel_name: "c",
      message_count: 1,
    });
    assertEquals(Object.keys(stats), Object.keys(stats).toSorted());
  });
});

Deno.test("nsqadmin tells the same of a list of nsqds", async () => {
  await withCluster({ nodes: 2, listed: true }, async ({ nsqds, admin, topic }) => {
    await topic("t", "c");
    for (const nsqd of nsqds) await publish(nsqd, "t", "body");

    assertEquals(await admin.json("/api/topics"), { topics: ["t"], message: "" });
    assertEquals(await admin.json("/api/topics?inactive=true"), { topics: {}, message: "" });
    const { nodes } = await admin.json("/api/nodes") as { nodes: Record<string, unknown>[] };
    assertEquals(nodes.map((node) => [node.remote_addresses, node.remote_address, node.out_of_date]), [
      [null, "", false],
      [null, "", false],
    ]);
    const sum = await admin.json("/api/topics/t") as Numbers;
    assertEquals([sum.node, sum.message_count, sum.nodes.length], ["*", 2, 2]);
  });
});

Deno.test("nsqadmin has null for what is empty, as NSQ", async () => {
  await withCluster({}, async ({ admin }) => {
    assertEquals((await admin.ask("GET", "/api/topics")).text, '{"topics":null,"message":""}');
  });
  await using lookupd = new FakeHttp(() => Response.json({ producers: [] }));
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    assertEquals((await admin.ask("GET", "/api/nodes")).text, '{"nodes":null,"message":""}');
  });
});

Deno.test("nsqadmin tells topics that nobody has any more", async () => {
  await withCluster({}, async ({ lookupd, admin, topic }) => {
    await topic("active", "c");
    await post(`http://${lookupd.httpAddress}/channel/create?topic=idle&channel=old`);
    await post(`http://${lookupd.httpAddress}/topic/create?topic=bare`);

    assertEquals(
      (await admin.ask("GET", "/api/topics?inactive=true")).text,
      '{"topics":{"bare":null,"idle":["old"]},"message":""}',
    );
  });
});

Deno.test("nsqadmin warns of an nsqlookupd that does not answer, in the answer and in the log", async () => {
  await withCluster({}, async ({ lookupd, topic }) => {
    await topic("t");
    const dead = deadAddress();
    const lines = await withNsqadmin({ lookupdHttpAddresses: [lookupd.httpAddress, dead] }, async (admin) => {
      const reason = `Get "http://${dead}/topics": dial tcp ${dead}: connect: connection refused`;
      assertEquals(await admin.json("/api/topics"), { topics: ["t"], message: `WARNING: ${reason}` });
      assert(admin.lines.some((line) => line === `WARNING: ${reason}`));
    });
    assert(lines.includes(`INFO: CI: querying nsqlookupd http://${dead}/topics`), lines.join("\n"));
  });
});

Deno.test("nsqadmin says that nobody answers", async () => {
  const dead = deadAddress();
  await withNsqadmin({ lookupdHttpAddresses: [dead] }, async (admin) => {
    for (
      const path of [
        "/api/topics",
        "/api/topics/t",
        "/api/topics/t/c",
        "/api/nodes",
        "/api/nodes/n",
        "/api/counter",
      ]
    ) {
      const { status, json } = await admin.ask("GET", path);
      assertEquals(status, 502);
      assertMatch(
        (json as { message: string }).message,
        /^UPSTREAM_ERROR: failed to query any nsqlookupd: Get "http:/,
      );
    }
  });
});

for (
  const [target, status, message] of [
    ["/api/topics/t/never", 404, "CHANNEL_NOT_FOUND"],
    ["/api/nodes/127.0.0.1:1", 404, "NODE_NOT_FOUND"],
    ["/api/topics?a;b", 400, "invalid semicolon separator in query"],
    ["/nope", 404, "NOT_FOUND"],
  ] as const
) {
  Deno.test(`GET ${target} is refused with ${message}`, async () => {
    await withCluster({}, async ({ admin, topic }) => {
      await topic("t");
      const answer = await admin.ask("GET", target);
      assertEquals([answer.status, answer.json], [status, { message }]);
    });
  });
}

Deno.test("A channel that no node that answers has may be with one that does not", async () => {
  const dead = deadAddress();
  await using node = new FakeHttp(() => Response.json({ topics: [{ topic_name: "t" }] }));
  const producers = [node.address, dead].map((address, i) => {
    const [broadcast_address, port] = address.split(":");
    return { broadcast_address, http_port: Number(port), tcp_port: i };
  });
  await using lookupd = new FakeHttp(() => Response.json({ producers }));
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { status, json } = await admin.ask("GET", "/api/topics/t/c");

    const reason =
      `Get "http://${dead}/stats?format=json&topic=t&channel=c": dial tcp ${dead}: connect: connection refused`;
    assertEquals([status, json], [502, { message: `UPSTREAM_ERROR: ${reason}` }]);
  });
});

Deno.test("A channel that no node has is not found, also where an nsqlookupd does not know its topic", async () => {
  await withCluster({}, async ({ lookupd, topic }) => {
    await topic("t");
    await withNsqlookupd({}, async (other) => {
      const lookupdHttpAddresses = [lookupd.httpAddress, other.httpAddress];
      await withNsqadmin({ lookupdHttpAddresses }, async (admin) => {
        const { status, json } = await admin.ask("GET", "/api/topics/t/never");

        assertEquals([status, json], [404, { message: "CHANNEL_NOT_FOUND" }]);
      });
    });
  });
});

Deno.test("nsqadmin takes a node for one that has not answered when it lies, hangs, or is of another kind", async () => {
  await using liar = new FakeHttp(() =>
    Response.json({ topics: [{ topic_name: "t", channels: [{ depth: {} }] }] })
  );
  await using silent = new FakeHttp(({ target }) =>
    target === "/never" ? new Response("") : new Promise(() => {})
  );
  await using page = new FakeHttp(() => new Response("<html>"));
  await using good = new FakeHttp(() => Response.json({ topics: [{ topic_name: "t", depth: 3 }] }));
  const producers = [liar, silent, page, good].map(({ address }, i) => {
    const [host, port] = address.split(":");
    return { hostname: `h${i}`, broadcast_address: host, http_port: Number(port), tcp_port: i };
  });
  await using lookupd = new FakeHttp(() => Response.json({ producers }));

  const options = { lookupdHttpAddresses: [lookupd.address], httpClientRequestTimeoutMs: 3000 };
  await withNsqadmin(options, async (admin) => {
    const { depth, message } = await admin.json("/api/topics/t") as Numbers;

    assertEquals(depth, 3);
    const reasons = message.slice("WARNING: ".length).split("\n");
    assertEquals(reasons.map((reason) => reason.replace(/127\.0\.0\.1:\d+/, "<node>")), [
      'Get "http://<node>/stats?format=json&topic=t&include_clients=false": depth is no whole number',
      'Get "http://<node>/stats?format=json&topic=t&include_clients=false": net/http: timeout awaiting response headers',
      `Get "http://<node>/stats?format=json&topic=t&include_clients=false": Unexpected token '<', "<html>" is not valid JSON`,
    ]);
  });
});

Deno.test("nsqadmin serves its API below the base path, and compressed to whoever takes it so", async () => {
  await withCluster({ nsqadmin: { basePath: "/sub" } }, async ({ admin }) => {
    assertEquals((await admin.ask("GET", "/api/topics")).status, 404);
    assertEquals((await admin.ask("GET", "/sub/ping")).text, "OK");
    const { status, headers, json } = await admin.ask("GET", "/sub/api/topics");
    assertEquals([status, headers.get("vary"), json], [200, "Accept-Encoding", {
      topics: null,
      message: "",
    }]);
  });
});
