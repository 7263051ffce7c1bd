import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fakeNode, pageAt, press } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import {
  type NsqadminInProcess,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

const TOPIC = "orders.failed";
/** Redriven by one a second, they are enough for it to go on until it is canceled. */
const MANY = 100;
const CHANNEL = `/topics/${TOPIC}/c`;

interface ShownRedrive {
  readonly id: string;
  readonly topic: string;
  readonly to: string;
  readonly state: string;
  readonly count: number;
  readonly redriven: number;
  readonly put_back: number;
  readonly problem?: string;
}

async function redrivesOf(admin: NsqadminInProcess): Promise<readonly ShownRedrive[]> {
  return (await admin.json("/api/redrives") as { redrives: ShownRedrive[] }).redrives;
}

async function over(admin: NsqadminInProcess): Promise<ShownRedrive> {
  return await eventually("it is over", async () => {
    const [newest] = await redrivesOf(admin);
    return newest.state !== "running" && newest;
  });
}

Deno.test("Dead letters are redriven to their topic from the page of their channel, after a dry run", async () => {
  await using endpoint = new FakeHttp();
  const notificationHttpEndpoint = `http://${endpoint.address}/`;
  await withCluster(
    { nodes: 2, nsqadmin: { notificationHttpEndpoint } },
    async ({ admin, nsqds: [nsqd, other], topic }) => {
      await topic("orders", "c");
      await topic(TOPIC, "c");
      await publish(nsqd, TOPIC, "<one>", "two", "three", "four");
      await publish(other, TOPIC, "five");
      const page = await pageAt(admin, CHANNEL);
      assertStringIncludes(page.text, "Redrive: these are dead letters of orders");

      const dry = await press(admin, CHANNEL, { page, button: "Dry run…" });
      assertEquals([dry.status, dry.page.all("h1")], [200, [
        `Redrive channel c of topic ${TOPIC} to topic orders?`,
      ]]);
      assertStringIncludes(dry.page.text, "Messages 5 Takes about 1s");
      const shown = dry.page.rows.map((cells) => cells.at(-1));
      assertEquals(shown, ["Messages", "4", "1", "Body", "<one>", "two", "three"]);
      assertEquals(await redrivesOf(admin), []);
      const done = await press(admin, CHANNEL, { page: dry.page, button: "Redrive 5" });

      assertEquals([done.status, done.location], [303, "/redrives?done=redrive"]);
      const { id, topic: from, to, state, count, redriven, put_back } = await over(admin);
      assertEquals({ id, from, to, state, count, redriven, put_back }, {
        id: "1",
        from: TOPIC,
        to: "orders",
        state: "done",
        count: 5,
        redriven: 5,
        put_back: 0,
      });
      const depths = async (of: string) =>
        await Promise.all(
          [nsqd, other].map(async (each) => (await statsOf(each, of))?.channels[0].depth ?? 0),
        );
      await eventually("they are there", async () => (await depths("orders")).reduce((a, b) => a + b) === 5);
      assertEquals(await depths(TOPIC), [0, 0]);
      const list = await pageAt(admin, "/redrives");
      assertEquals(list.rows[1].slice(2), [`${TOPIC} / c`, "orders", "5", "5", "0", "done", ""]);
      const activity = await eventually("its end stands in the activity", async () => {
        const { activity } = await admin.json("/api/activity") as { activity: Record<string, unknown>[] };
        return activity.length === 2 && activity;
      });
      assertEquals(
        activity.map(({ action, channel, to, outcome, detail }) => [action, channel, to, outcome, detail]),
        [
          ["end-redrive", "c", "orders", "done", "done: 5 of 5 published, 0 put back"],
          ["redrive", "c", "orders", "done", undefined],
        ],
      );
      assertStringIncludes((await pageAt(admin, "/activity")).text, "to orders: done: 5 of 5 published");
      await admin.nsqadmin.stop();
      const told = endpoint.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
      assertEquals(told.map((each) => [each.action, each.topic, each.channel, each.to]), [
        ["redrive", TOPIC, "c", "orders"],
      ]);
    },
  );
});

Deno.test("What waits in a topic without channels is redriven from its page", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic(TOPIC);
    await publish(nsqd, TOPIC, "one", "two");

    const dry = await press(admin, "/", {
      page: await pageAt(admin, `/topics/${TOPIC}`),
      button: "Dry run…",
    });
    assertEquals(dry.page.rows.map((cells) => cells.at(-1)), ["Messages", "2", "Body", "one", "two"]);
    await press(admin, "/", { page: dry.page, button: "Redrive 2" });

    assertEquals((await over(admin)).redriven, 2);
    assertEquals((await statsOf(nsqd, "orders"))?.depth, 2);
    assertEquals(
      (await statsOf(nsqd, TOPIC))?.channels.map(({ channel_name, depth }) => [channel_name, depth]),
      [
        ["redrive", 0],
      ],
    );
  });
});

Deno.test("A redrive is canceled from its page, and what is left stays where it is", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic(TOPIC, "c");
    await publish(nsqd, TOPIC, ...Array.from({ length: MANY }, (_, i) => `m${i}`));
    const order = { topic: TOPIC, channel: "c", to: "orders", rate: 1 };
    const begun = await admin.ask("POST", "/api/redrives", { body: order });
    assertEquals([begun.status, begun.json], [200, { id: "1", count: MANY, message: "" }]);
    const again = await admin.ask("POST", "/api/redrives", { body: order });
    assertEquals([again.status, again.json], [409, { message: "REDRIVE_RUNNING" }]);
    assertStringIncludes((await pageAt(admin, CHANNEL)).text, `of ${MANY} are redriven to orders`);

    const page = await pageAt(admin, "/redrives");
    const { status, location } = await press(admin, "/redrives", { page, button: "Cancel" });

    assertEquals([status, location], [303, "/redrives?done=cancel-redrive"]);
    const { state, redriven } = await over(admin);
    assertEquals(state, "canceled");
    await eventually("the others are there", async () => {
      return (await statsOf(nsqd, TOPIC))?.channels[0].depth === MANY - redriven;
    });
    const late = await admin.ask("DELETE", "/api/redrives/1");
    assertEquals([late.status, late.json], [409, { message: "REDRIVE_OVER" }]);
  });
});

Deno.test("When nsqadmin stops, redrives end, and nothing is lost", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic(TOPIC, "c");
    await publish(nsqd, TOPIC, ...Array.from({ length: 20 }, (_, i) => `m${i}`));
    await admin.ask("POST", "/api/redrives", { body: { topic: TOPIC, channel: "c", to: "orders", rate: 1 } });
    await eventually("it has begun", async () => (await redrivesOf(admin))[0].redriven > 0);

    await admin.nsqadmin.stop();

    const line = admin.lines.find((each) => each.includes("REDRIVE") && each.includes("stopped"));
    const published = Number(/stopped: (\d+) of 20/.exec(line ?? "")?.[1]);
    await eventually("all are somewhere", async () => {
      return (await statsOf(nsqd, TOPIC))?.channels[0].depth === 20 - published &&
        (await statsOf(nsqd, "orders"))?.depth === published;
    });
  });
});

Deno.test("A dry run over the API tells what waits, and does nothing", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic(TOPIC, "c");
    await publish(nsqd, TOPIC, "one", "two");
    const ask = async (change: Record<string, unknown>) => {
      const body = { topic: TOPIC, channel: "c", to: "orders", ...change };
      const { status, json } = await admin.ask("POST", "/api/redrives", { body });
      return [status, json];
    };
    const waiting = [{ node: `127.0.0.1:${nsqd.nsqd.httpPort}`, count: 2 }];

    const targets = [nsqd.tcpAddress];
    assertEquals(await ask({ dry_run: true }), [200, { count: 2, waiting, targets, message: "" }]);
    assertEquals(await ask({ dry_run: "true", messages: 1 }), [200, {
      count: 1,
      waiting,
      targets,
      message: "",
    }]);
    assertEquals(await ask({ dry_run: 1 }), [400, { message: "INVALID_DRY_RUN" }]);
    assertEquals(await ask({ rate: 0 }), [400, { message: "INVALID_RATE" }]);
    assertEquals(await ask({ rate: [] }), [400, { message: "json: rate is no string" }]);
    assertEquals(await ask({ channel: "none" }), [409, { message: "NOTHING_TO_REDRIVE" }]);
    assertEquals(await redrivesOf(admin), []);
  });
});

Deno.test("A node that cannot be reached over TCP is named, and its messages stay", async () => {
  const [host, port] = deadAddress().split(":");
  const topics = [{ topic_name: TOPIC, depth: 0, channels: [{ channel_name: "c", depth: 3 }] }];
  const nsqd: FakeHttp = fakeNode((request) =>
    request.target === "/info" ? Response.error() : Response.json({ topics })
  );
  await using lookupd = new FakeHttp(() => {
    const producer = {
      broadcast_address: host,
      tcp_port: Number(port),
      http_port: Number(nsqd.address.split(":")[1]),
    };
    return Response.json({ producers: [producer] });
  });
  await using _nsqd = nsqd;
  await withNsqadmin(
    { lookupdHttpAddresses: [lookupd.address], httpClientConnectTimeoutMs: 2000 },
    async (admin) => {
      await admin.ask("POST", "/api/redrives", { body: { topic: TOPIC, channel: "c", to: "orders" } });

      const { state, problem, redriven } = await over(admin);

      assertEquals([state, redriven], ["failed", 0]);
      assertStringIncludes(problem ?? "", `no node could be reached over TCP: ${host}:${port}`);
      assertStringIncludes((await pageAt(admin, "/redrives")).text, "failed : no node could be reached");
    },
  );
});

Deno.test("Who may change nothing redrives nothing", async () => {
  await withCluster({ nsqadmin: { adminUsers: ["root"] } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic(TOPIC, "c");
    await publish(nsqd, TOPIC, "one");

    const body = "action=redrive&to=orders";
    const form = await admin.ask("POST", CHANNEL, { body });
    const api = await admin.ask("POST", "/api/redrives", {
      body: { topic: TOPIC, channel: "c", to: "orders" },
    });
    const cancel = await admin.ask("DELETE", "/api/redrives/1");

    assertEquals([form.status, api.status, cancel.status], [403, 403, 403]);
    assertEquals((await pageAt(admin, CHANNEL)).html.includes("Dry run"), false);
    assertEquals(await redrivesOf(admin), []);
  });
});

Deno.test("What cannot be redriven is refused in words", async () => {
  await withNsqadmin({ nsqdHttpAddresses: [deadAddress()] }, async (admin) => {
    for (
      const [path, body, status, reason] of [
        [CHANNEL, `action=redrive&to=${TOPIC}`, 400, "That is no topic to publish to"],
        [CHANNEL, "action=redrive&to=x&rate=10001", 400, "That is no rate"],
        [CHANNEL, "action=redrive&to=x&messages=0", 400, "That is no number of messages"],
        ["/topics/t", "action=redrive&to=x", 400, "That cannot be done here."],
        ["/redrives", "action=cancel-redrive&id=7", 404, "There is no such redrive."],
        [CHANNEL, "action=redrive&to=x", 502, "not done"],
        [CHANNEL, "action=ask-redrive&to=x", 200, "Nothing waits there: nothing would be done."],
      ] as const
    ) {
      const answer = await admin.ask("POST", path, { body });
      assertEquals([path, body, answer.status], [path, body, status]);
      assert(new HtmlPage(answer.text).text.includes(reason), answer.text);
    }
  });
});
