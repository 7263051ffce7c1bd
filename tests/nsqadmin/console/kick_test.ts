import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EACH_SHOWN_MAX } from "../../../src/nsqadmin/console/channel_consumers.tsx";
import { fakeNode, pageAt, press } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp, type FakeHttpRequest } from "../../support/fake_http.ts";
import { identify } from "../../support/frames.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { statsOf, withCluster, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import type { NsqdInProcess } from "../../support/nsqd_in_process.ts";

const CHANNEL = "/topics/t/c";

/** A consumer of a channel that calls itself like that. */
async function consume(nsqd: NsqdInProcess, channel: string, client_id: string, hostname = "h") {
  const client = await nsqd.connect();
  await client.ask(identify({ client_id, hostname, user_agent: "tester/1" }));
  await client.ask(`SUB t ${channel}\n`);
  return client;
}

/** What consumes from the topic, by channel, once there are so many. */
async function consumersOf(nsqd: NsqdInProcess, count: number): Promise<Record<string, string[]>> {
  const found = async () => {
    const topic = await statsOf(nsqd, "t") as unknown as {
      channels: { channel_name: string; clients: { client_id: string }[] }[];
    };
    return Object.fromEntries(topic.channels.map(({ channel_name, clients }) => [
      channel_name,
      clients.map(({ client_id }) => client_id).sort(),
    ]));
  };
  await eventually(`${count} consume`, async () => Object.values(await found()).flat().length === count);
  return await found();
}

/** A node with a topic `t` and a channel `c` of these clients, that answers like that when it is to end connections. */
function nodeWith(clients: readonly unknown[], kicked: (request: FakeHttpRequest) => Response): FakeHttp {
  const topics = [{ topic_name: "t", channels: [{ channel_name: "c", clients }] }];
  return fakeNode((request) =>
    request.target.startsWith("/client/kick") ? kicked(request) : Response.json({ topics })
  );
}

Deno.test("A channel's page cuts one connection off when that is confirmed, and tells of it", async () => {
  await using endpoint = new FakeHttp();
  const notificationHttpEndpoint = `http://${endpoint.address}/`;
  await withCluster({ nsqadmin: { notificationHttpEndpoint } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c");
    using _bad = await consume(nsqd, "c", "bad");
    using _good = await consume(nsqd, "c", "good");
    const page = await pageAt(admin, CHANNEL);
    const address = page.html.match(/bad (127\.0\.0\.1:\d+)/)?.[1];

    const asked = await press(admin, CHANNEL, { page: page, button: "Kick…" });
    assertEquals([asked.status, asked.page.all("h1")], [200, [
      `Cut ${address} off from channel c of topic t on node 127.0.0.1:${nsqd.nsqd.httpPort}?`,
    ]]);
    assertEquals(await consumersOf(nsqd, 2), { c: ["bad", "good"] });
    const done = await press(admin, CHANNEL, { page: asked.page, button: "Cut off" });

    assertEquals([done.status, done.location], [
      303,
      `${CHANNEL}?done=kick&on=127.0.0.1%3A${nsqd.nsqd.httpPort}`,
    ]);
    assertEquals(await consumersOf(nsqd, 1), { c: ["good"] });
    const { activity: [{ action, topic: of, channel, client, outcome, results }] } = await admin.json(
      "/api/activity",
    ) as { activity: Record<string, unknown>[] };
    const daemon = `nsqd 127.0.0.1:${nsqd.nsqd.httpPort}`;
    assertEquals({ action, of, channel, client, outcome, results }, {
      action: "kick",
      of: "t",
      channel: "c",
      client: address,
      outcome: "done",
      results: [{ daemon }],
    });
    const again = await press(admin, CHANNEL, { page: asked.page, button: "Cut off" });
    assertEquals([again.status, again.page.all("h1")], [404, ["Not Found"]]);
    assertStringIncludes(again.page.text, "No such consumer is connected any more.");
    await admin.nsqadmin.stop();
    assertEquals(
      endpoint.requests.map(({ body }) => JSON.parse(body)).map(({ action, client }) => [action, client]),
      [
        ["kick_client", address],
      ],
    );
  });
});

Deno.test("The page of consumers cuts a process off, from all nodes and channels, and nobody else", async () => {
  await withCluster({ nodes: 2 }, async ({ admin, nsqds: [nsqd, other], topic }) => {
    await topic("t", "c", "d");
    using _first = await consume(nsqd, "c", "bad");
    using _second = await consume(nsqd, "d", "bad");
    using _third = await consume(other, "c", "bad");
    using _good = await consume(other, "c", "good");
    using _elsewhere = await consume(other, "d", "bad", "h2");
    const page = await pageAt(admin, "/consumers?filter=h%0Abad");

    const asked = await press(admin, CHANNEL, { page: page, button: "Kick…" });
    const done = await press(admin, "/consumers", { page: asked.page, button: "Cut off" });

    assertEquals(asked.page.all("h1"), ["Cut h bad tester/1 off?"]);
    assertEquals([done.status, done.location], [303, "/consumers?done=kick"]);
    assertEquals(await consumersOf(nsqd, 0), { c: [], d: [] });
    assertEquals(await consumersOf(other, 2), { c: ["good"], d: ["bad"] });
  });
});

Deno.test("POST /api/consumers/kick ends the connections that are meant, of the channel only", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c", "d");
    using _first = await consume(nsqd, "c", "me");
    using _second = await consume(nsqd, "d", "me");
    const kick = async (body: unknown) => {
      const { status, json } = await admin.ask("POST", "/api/consumers/kick", { body });
      return [status, json];
    };

    assertEquals(await kick({ topic: "t", channel: "c", client_id: "me" }), [200, { message: "" }]);
    assertEquals(await consumersOf(nsqd, 1), { c: [], d: ["me"] });
    for (
      const [body, status, message] of [
        [{ topic: "t", channel: "c", client_id: "me" }, 404, "CLIENT_NOT_FOUND"],
        [{ client_id: "me", user_agent: "" }, 404, "CLIENT_NOT_FOUND"],
        [{}, 400, "MISSING_CLIENT"],
        [{ node: "a:1" }, 400, "MISSING_CLIENT"],
        [{ address: "127.0.0.1:1" }, 400, "MISSING_CLIENT"],
        [{ topic: "t", client_id: "me" }, 400, "INVALID_CHANNEL"],
        [{ channel: "c", client_id: "me" }, 400, "INVALID_TOPIC"],
      ] as const
    ) {
      assertEquals([body, ...await kick(body)], [body, status, { message }]);
    }
    assertEquals(await kick({ client_id: "me" }), [200, { message: "" }]);
    assertEquals(await consumersOf(nsqd, 0), { c: [], d: [] });
  });
});

Deno.test("Of NSQ's nsqd the page says that it cuts nobody off", async () => {
  await using nsqd = nodeWith([{ client_id: "me", remote_address: "10.0.0.1:5" }], () => {
    return Response.json({ message: "NOT_FOUND" }, { status: 404 });
  });
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const asked = await press(admin, CHANNEL, { page: await pageAt(admin, CHANNEL), button: "Kick…" });
    const { status, page } = await press(admin, CHANNEL, { page: asked.page, button: "Cut off" });

    assertEquals([status, page.all("h1")], [200, ["Cut off: not done"]]);
    assertStringIncludes(page.text, `nsqd ${nsqd.address} : this nsqd does not offer it (404): it is NSQ's`);
    assertEquals(nsqd.asked.filter((line) => line.startsWith("POST")), [
      "POST /client/kick?address=10.0.0.1%3A5",
    ]);
  });
});

Deno.test("Of many connections all are tried, unless the node refuses, and what is left is told", async () => {
  const clients = Array.from(
    { length: 50 },
    (_, i) => ({ client_id: "me", remote_address: `10.0.0.1:${i}` }),
  );
  const notFound = (message: string) => Response.json({ message }, { status: 404 });
  await using some = nodeWith(
    clients,
    ({ target }) => target.endsWith("7") ? notFound("CLIENT_NOT_FOUND") : new Response(""),
  );
  await using none = nodeWith(clients, () => notFound("NOT_FOUND"));
  await withNsqadmin({ nsqdHttpAddresses: [some.address, none.address] }, async (admin) => {
    const { status, json } = await admin.ask("POST", "/api/consumers/kick", { body: { client_id: "me" } });

    const { message } = json as { message: string };
    assertEquals(status, 200);
    assertStringIncludes(message, "5 of 50 connections: it has no such connection any more");
    assertStringIncludes(message, "this nsqd does not offer it");
    assertEquals(some.asked.filter((line) => line.startsWith("POST")).length, 50);
    assert(none.asked.filter((line) => line.startsWith("POST")).length < 10);
  });
});

Deno.test("Who may change nothing cuts nobody off", async () => {
  await withCluster({ nsqadmin: { adminUsers: ["root"] } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c");
    using _client = await consume(nsqd, "c", "me");

    const form = await admin.ask("POST", "/consumers", { body: "action=kick&client_id=me" });
    const api = await admin.ask("POST", "/api/consumers/kick", { body: { client_id: "me" } });

    assertEquals([form.status, api.status], [403, 403]);
    for (const path of ["/consumers", CHANNEL]) {
      assertEquals((await pageAt(admin, path)).html.includes("Kick"), false);
    }
    assertEquals(await consumersOf(nsqd, 1), { c: ["me"] });
  });
});

Deno.test("A page of consumers has forms for consumers only", async () => {
  await withNsqadmin({ nsqdHttpAddresses: ["127.0.0.1:1"] }, async (admin) => {
    for (
      const [path, body, status] of [
        ["/consumers", "action=kick", 400],
        ["/consumers", "action=pause&topic=t", 400],
        ["/topics/t", "action=kick&client_id=me", 400],
      ] as const
    ) {
      const answer = await admin.ask("POST", path, { body });
      assertEquals([path, body, answer.status], [path, body, status]);
      assert(new HtmlPage(answer.text).all("h1").includes("Bad Request"));
    }
  });
});

Deno.test("A channel's page puts many consumers together by host or client id, and marks slow ones", async () => {
  const clients = Array.from({ length: EACH_SHOWN_MAX + 1 }, (_, i) => ({
    hostname: `h${i % 2}`,
    client_id: `c${i % 3}`,
    remote_address: `10.0.0.1:${i}`,
    in_flight_count: 2,
    ready_count: 2,
    finish_count: i === 0 ? 0 : 10,
  }));
  const few = clients.slice(0, EACH_SHOWN_MAX);
  let shown: readonly unknown[] = clients;
  await using nsqd = fakeNode(() =>
    Response.json({ topics: [{ topic_name: "t", channels: [{ channel_name: "c", clients: shown }] }] })
  );
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const names = async (query: string) => {
      const { rows } = await pageAt(admin, CHANNEL + query);
      return rows.map((cells) => cells).filter(([name]) => /^[hc]\d/.test(name));
    };

    const byHost = await names("?sort=-name");
    const byClient = await names("?consumers=client&sort=finished");
    const each = await names("?consumers=each");
    shown = few;
    const fewOnes = await names("");

    assertEquals(byHost.map((cells) => [cells[0], cells[3], cells[5]]), [["h1", "10", "20"], [
      "h0 slow",
      "11",
      "22",
    ]]);
    assertEquals(byClient.map(([name]) => name), ["c0 slow", "c1", "c2"]);
    assertEquals([each.length, fewOnes.length], [EACH_SHOWN_MAX + 1, EACH_SHOWN_MAX]);
    assertEquals(each.filter(([name]) => name.endsWith("slow")).map(([name]) => name), [
      "h0 c0 10.0.0.1:0 slow",
    ]);
    shown = clients;
    const { body } = (await pageAt(admin, `${CHANNEL}?sort=-name`)).button("Kick…");
    assertEquals(body, "hostname=h1&action=ask-kick");
  });
});
