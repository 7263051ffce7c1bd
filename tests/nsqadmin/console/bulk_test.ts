import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { UNANSWERED_MAX } from "../../../src/cluster/patience.ts";
import { detailOf } from "../../../src/nsqadmin/activity.ts";
import { AT_A_TIME_MAX, BULK_MAX, KEPT_MAX, RUNNING_MAX } from "../../../src/nsqadmin/bulk.ts";
import { fakeNode, pageAt, press } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { logIn, usersOf } from "../../support/login.ts";
import type { HtmlPage } from "../../support/html_page.ts";
import {
  type ClusterInProcess,
  IMPATIENT,
  type NsqadminInProcess,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";

/** The page that a form leads to, when it has been done, or stopped. */
async function followed(
  admin: NsqadminInProcess,
  { status, location }: { readonly status: number; readonly location: string | null },
): Promise<HtmlPage> {
  assertEquals(status, 303);
  const [, id = "none"] = /^\/bulk\/([-0-9a-f]{36})$/.exec(location ?? "") ?? [];
  const go = admin.nsqadmin.bulk.find(id);
  assert(go, `there is no go at ${location}`);
  await go.finished;
  return await pageAt(admin, location ?? "");
}

/** A test with two nodes that have topics `a`, `b` and `other`, the first two with a channel `c`. */
function bulkTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({ nodes: 2 }, async (cluster) => {
      for (const topic of ["a", "b"]) await cluster.topic(topic, "c");
      await cluster.topic("other");
      await cluster.admin.nsqadmin.poller.refresh();
      await test(cluster);
    });
  });
}

/** Nodes in memory that have these topics, and do what they are told unless `refuses` says why not. */
function topicsNode(
  topics: readonly string[],
  refuses: (target: string) => Response | Promise<Response> | undefined = () => undefined,
): FakeHttp {
  return fakeNode(({ method, target }) => {
    if (method === "POST") return refuses(target) ?? new Response("");
    return Response.json({ topics: topics.map((topic_name) => ({ topic_name })) });
  });
}

bulkTest(
  "What is ticked on the overview is paused on all nodes, after having been asked about",
  async ({ admin, nsqds }) => {
    const page = await pageAt(admin, "/");
    const asked = await press(admin, "/", { page, button: "Pause…", fields: { name: ["a", "other"] } });

    assertEquals([asked.status, asked.page.all("h1")], [200, ["Pause 2 topics?"]]);
    assertStringIncludes(asked.page.text, "a 0 waiting, 0 consumers other 0 waiting, 0 consumers");
    assertEquals((await statsOf(nsqds[0], "a"))?.paused, false);
    const done = await followed(
      admin,
      await press(admin, "/bulk", { page: asked.page, button: "Pause 2 topics" }),
    );

    assertStringIncludes(done.text, "All of it was tried. done 2 failed 0 not begun 0");
    for (const nsqd of nsqds) {
      assertEquals(
        await Promise.all(["a", "b", "other"].map(async (topic) => (await statsOf(nsqd, topic))?.paused)),
        [true, false, true],
      );
    }
  },
);

bulkTest(
  "All that the filter lets through is what a bulk is about, and of these such as it changes",
  async ({ admin }) => {
    const page = await pageAt(admin, "/channels?filter=C");
    const found = { which: "found" };
    const asked = await press(admin, "/channels", { page, button: "Pause…", fields: found });
    assertEquals(asked.page.all("h1"), ["Pause 2 channels?"]);
    await press(admin, "/bulk", { page: asked.page, button: "Pause 2 channels" });
    await admin.nsqadmin.poller.refresh();

    const again = await press(admin, "/channels", { page, button: "Pause…", fields: found });
    assertStringIncludes(again.page.text, "There is nothing that this could be done with.");
    const back = await press(admin, "/channels", { page, button: "Unpause…", fields: found });
    assertEquals(back.page.all("h1"), ["Unpause 2 channels?"]);
    assert(back.page.links.includes("/channels?filter=C"));
  },
);

bulkTest(
  "Channels are emptied when their number was typed, and not before",
  async ({ admin, nsqds: [nsqd] }) => {
    await publish(nsqd, "a", "body");
    await admin.nsqadmin.poller.refresh();
    const page = await pageAt(admin, "/channels");
    const asked = await press(admin, "/channels", {
      page,
      button: "Empty…",
      fields: { name: ["a/c", "b/c"] },
    });
    assertStringIncludes(asked.page.text, "a/c 1 waiting");

    const refused = await press(admin, "/bulk", {
      page: asked.page,
      button: "Empty 2 channels",
      fields: { count: "3" },
    });
    assertEquals(refused.status, 400);
    assertStringIncludes(refused.page.text, "Nothing was done: that is not their number.");
    assertEquals((await statsOf(nsqd, "a"))?.channels[0].depth, 1);
    await followed(
      admin,
      await press(admin, "/bulk", {
        page: refused.page,
        button: "Empty 2 channels",
        fields: { count: " 2 " },
      }),
    );

    assertEquals((await statsOf(nsqd, "a"))?.channels[0].depth, 0);
  },
);

bulkTest("What came after somebody was asked is not deleted", async ({ admin, nsqds, topic }) => {
  const page = await pageAt(admin, "/?filter=");
  const asked = await press(admin, "/", { page, button: "Delete…", fields: { which: "found" } });
  await topic("later");
  await admin.nsqadmin.poller.refresh();

  await followed(
    admin,
    await press(admin, "/bulk", { page: asked.page, button: "Delete 3 topics", fields: { count: "3" } }),
  );

  const left = await Promise.all(
    ["a", "b", "other", "later"].map(async (each) => await statsOf(nsqds[1], each) !== undefined),
  );
  assertEquals(left, [false, false, false, true]);
});

Deno.test("Each of many changes is in the activity and the audit log, and told", async () => {
  await using endpoint = new FakeHttp();
  await using node = topicsNode(["a", "b"]);
  const nsqadmin = {
    nsqdHttpAddresses: [node.address],
    notificationHttpEndpoint: `http://${endpoint.address}/`,
    auditLog: "stderr",
  };
  const lines = await withNsqadmin(nsqadmin, async (admin) => {
    const body = "of=topics&action=pause&name=a&name=b";
    await admin.ask("POST", "/bulk", { body, headers: { "X-Forwarded-User": "alice" } });
    await eventually("it is told", () => endpoint.requests.length === 2);

    const told = await admin.json("/api/activity") as { activity: Record<string, unknown>[] };
    const [end, ...activity] = told.activity;
    assertEquals([end.user, end.action, end.outcome, end.detail], [
      ...["alice", "end-bulk", "done"],
      "done: pause of 2, 2 done, 0 failed, 0 not tried",
    ]);
    assertEquals(
      activity.map(({ user, action, topic, outcome, results }) => ({
        user,
        action,
        topic,
        outcome,
        results,
      })),
      ["b", "a"].map((topic) => ({
        ...{ user: "alice", action: "pause", topic, outcome: "done" },
        results: [{ daemon: `nsqd ${node.address}` }],
      })),
    );
    const notified = endpoint.requests.map((request) => JSON.parse(request.body));
    assertEquals(notified.map(({ action, topic, user }) => [action, topic, user]), [
      ["pause_topic", "a", "alice"],
      ["pause_topic", "b", "alice"],
    ]);
  });

  const audited = lines.flatMap((line) => {
    const [, token, target, status] =
      /"event":"admin".*"token":"(.*?)".*"target":"(.*?)".*"status":(\d+)/.exec(line) ?? [];
    return target === undefined ? [] : `${token} ${target} ${status}`;
  });
  assertEquals(audited.sort(), [
    "alice /bulk 303",
    "alice /topics/a 200",
    "alice /topics/b 200",
  ]);
});

Deno.test("What has failed is told with its reason, and tried again only where it has", async () => {
  let refusesB = true;
  await using good = topicsNode(["a", "b"]);
  await using bad = topicsNode(
    ["a", "b"],
    (target) => refusesB && target.endsWith("=b") ? new Response("no", { status: 500 }) : undefined,
  );
  await withNsqadmin({ nsqdHttpAddresses: [good.address, bad.address] }, async (admin) => {
    const { headers } = await admin.ask("POST", "/bulk", {
      body: "of=topics&action=empty&name=a&name=b&count=2",
    });
    const path = headers.get("location") ?? "";
    const page = await pageAt(admin, path);

    assertStringIncludes(page.text, "All of it was tried. done 1 failed 1 not begun 0");
    assertEquals(page.rows.slice(1), [
      ["b", "1", `nsqd ${bad.address} : got response 500 Internal Server Error "no"`],
    ]);
    assertEquals((await admin.ask("GET", `${path}?format=csv`)).text.split("\r\n"), [
      "topic,channel,outcome,done_by,failed_at,reasons",
      "a,,done,2,0,",
      `b,,failed,1,1,"nsqd ${bad.address}: got response 500 Internal Server Error ""no"""`,
      "",
    ]);

    refusesB = false;
    const before = [good.asked.length, bad.asked.length];
    const again = await followed(
      admin,
      await press(admin, path, { page, button: "Try again what is not done" }),
    );

    assertStringIncludes(again.text, "Empty 1 topic");
    assertStringIncludes(again.text, "done 1 failed 0 not begun 0");
    const posts = (asked: readonly string[]) => asked.filter((each) => each.startsWith("POST"));
    assertEquals(posts(good.asked.slice(before[0])), []);
    assertEquals(posts(bad.asked.slice(before[1])), ["POST /topic/empty?topic=b"]);
  });
});

Deno.test("Nodes that nobody told of at first are told at another try, and those that have done it are not", async () => {
  await using known = topicsNode(["t"]);
  await using unknown = topicsNode(["t"]);
  const producer = ({ address }: FakeHttp) => {
    const [broadcast_address, port] = address.split(":");
    return { broadcast_address, http_port: Number(port), hostname: "h" };
  };
  let isDown = true;
  await using one = new FakeHttp(() => Response.json({ producers: [producer(known)] }));
  await using other = new FakeHttp(() =>
    isDown ? new Response("", { status: 500 }) : Response.json({ producers: [known, unknown].map(producer) })
  );
  await withNsqadmin({ lookupdHttpAddresses: [one.address, other.address] }, async (admin) => {
    const { headers } = await admin.ask("POST", "/bulk", { body: "of=topics&action=empty&name=t&count=1" });
    const path = headers.get("location") ?? "";
    isDown = false;
    const page = await pageAt(admin, path);
    assertStringIncludes(page.text, "done 0 failed 1");
    const again = await followed(
      admin,
      await press(admin, path, { page, button: "Try again what is not done" }),
    );

    assertStringIncludes(again.text, "done 1 failed 0");
    const posts = ({ asked }: FakeHttp) => asked.filter((each) => each.startsWith("POST")).length;
    assertEquals([posts(known), posts(unknown)], [1, 1]);
  });
});

Deno.test("A deletion that some nodes have refused goes on there, though nobody tells of them any more", async () => {
  let isKnown = true;
  let refuses = true;
  await using good = topicsNode(["t"]);
  await using bad = topicsNode(["t"], () => refuses ? new Response("no", { status: 500 }) : undefined);
  const producers = [good, bad].map(({ address }) => {
    const [broadcast_address, port] = address.split(":");
    return { broadcast_address, http_port: Number(port), hostname: "h" };
  });
  await using lookupd = new FakeHttp(({ method, target }) => {
    if (method === "POST") isKnown = false;
    if (target.startsWith("/lookup") && !isKnown) {
      return Response.json({ message: "TOPIC_NOT_FOUND" }, { status: 404 });
    }
    return Response.json({ producers });
  });
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { headers } = await admin.ask("POST", "/bulk", { body: "of=topics&action=delete&name=t&count=1" });
    const path = headers.get("location") ?? "";
    refuses = false;
    const page = await pageAt(admin, path);
    const again = await followed(
      admin,
      await press(admin, path, { page, button: "Try again what is not done" }),
    );

    assertStringIncludes(again.text, "done 1 failed 0");
    assertEquals([good, bad].map(({ asked }) => asked.filter((each) => each.startsWith("POST")).length), [
      1,
      2,
    ]);
  });
});

Deno.test("A deletion that a node has made without saying so is done at another try", async () => {
  let isDeleted = false;
  await using node = topicsNode(["t"], () => {
    if (isDeleted) return Response.json({ message: "TOPIC_NOT_FOUND" }, { status: 404 });
    isDeleted = true;
    return new Response("", { status: 502 });
  });
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const { headers } = await admin.ask("POST", "/bulk", { body: "of=topics&action=delete&name=t&count=1" });
    const path = headers.get("location") ?? "";
    const page = await pageAt(admin, path);
    assertStringIncludes(page.text, "done 0 failed 1");

    const again = await followed(
      admin,
      await press(admin, path, { page, button: "Try again what is not done" }),
    );
    assertStringIncludes(again.text, "done 1 failed 0");
  });
});

Deno.test("A node that hangs costs a bulk a few requests, and the others are told", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
  await using good = topicsNode(names);
  await using hung = topicsNode(names, () => new Promise(() => {}));
  const options = { nsqdHttpAddresses: [good.address, hung.address], httpClientRequestTimeoutMs: 3000 };
  await withNsqadmin(options, async (admin) => {
    const body = `of=topics&action=pause&${names.map((name) => `name=${name}`).join("&")}`;
    const { headers } = await admin.ask("POST", "/bulk", { body });
    const path = headers.get("location") ?? "";
    await admin.nsqadmin.bulk.find(path.slice("/bulk/".length))?.finished;

    const posts = ({ asked }: FakeHttp) => asked.filter((each) => each.startsWith("POST")).length;
    assertEquals(posts(good), 40);
    assert(posts(hung) <= AT_A_TIME_MAX + UNANSWERED_MAX, `${posts(hung)} requests`);
    assertStringIncludes(
      (await pageAt(admin, path)).text,
      `nsqd ${hung.address} : has not answered 3 times in a row, and is not asked any more`,
    );
  }, { waits: IMPATIENT });
});

Deno.test("A bulk can be stopped, and gone on with", async () => {
  const names = Array.from({ length: 30 }, (_, i) => `t${i}`);
  const released = Promise.withResolvers<void>();
  await using node = topicsNode(names, async () => {
    await released.promise;
    return new Response("");
  });
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const body = `of=topics&action=pause&${names.map((name) => `name=${name}`).join("&")}`;
    const { headers } = await admin.ask("POST", "/bulk", { body });
    const path = headers.get("location") ?? "";
    const running = await pageAt(admin, path);
    assertStringIncludes(running.text, "It is being done. This page need not stay open.");
    assertStringIncludes(running.html, "data-events=");

    const stopping = press(admin, path, { page: running, button: "Stop" });
    await eventually(
      "it is stopped",
      async () => (await pageAt(admin, path)).text.includes("Nothing further is begun"),
    );
    released.resolve();
    const stopped = await followed(admin, await stopping);

    assertStringIncludes(stopped.text, "It was stopped before all was done. done 8 failed 0 not begun 22");
    const done = await followed(
      admin,
      await press(admin, path, { page: stopped, button: "Try again what is not done" }),
    );
    assertStringIncludes(done.text, "done 22 failed 0 not begun 0");
    const ends = admin.nsqadmin.activity.newestFirst.filter(({ action }) => action === "end-bulk");
    assertEquals(ends.map((end) => [end.outcome, detailOf(end)]), [
      ["done", "done: pause of 22, 22 done, 0 failed, 0 not tried"],
      ["partly", "canceled: pause of 30, 8 done, 0 failed, 22 not tried"],
    ]);
    assertEquals(new Set(node.asked.filter((each) => each.startsWith("POST"))).size, 30);
  }, { waits: IMPATIENT });
});

Deno.test("A bulk that runs ends with nsqadmin, and so many run at a time", async () => {
  const released = Promise.withResolvers<void>();
  await using node = topicsNode(["t"], () => released.promise.then(() => new Response("")));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const begun = Array.from(
      { length: RUNNING_MAX },
      () => admin.ask("POST", "/bulk", { body: "of=topics&action=pause&name=t" }),
    );
    for (const { status } of await Promise.all(begun)) assertEquals(status, 303);

    const { status, text } = await admin.ask("POST", "/bulk", { body: "of=topics&action=pause&name=t" });
    assertEquals(status, 503);
    assertStringIncludes(text, "two at a time");
  }, { waits: IMPATIENT });
  released.resolve();
});

Deno.test("A go has so many names at most, and pages say what is left", async () => {
  const names = Array.from({ length: BULK_MAX + 1 }, (_, i) => `t${String(i).padStart(4, "0")}`);
  await using node = topicsNode(names);
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    const page = await pageAt(admin, "/?filter=t");
    const asked = await press(admin, "/", { page, button: "Delete…", fields: { which: "found" } });

    assertEquals(asked.page.all("h1"), ["Delete 1,000 topics?"]);
    assertStringIncludes(asked.page.text, "1 more are left for another time: in one go it is 1,000 at most");
    assert(!asked.page.html.includes("t1000"));
    const body = (count: number) =>
      `of=topics&action=ask-pause&${names.slice(0, count).map((each) => `name=${each}`).join("&")}`;
    assertEquals((await admin.ask("POST", "/bulk", { body: body(BULK_MAX) })).status, 200);
    assertEquals((await admin.ask("POST", "/bulk", { body: body(BULK_MAX + 1) })).status, 400);
  });
});

Deno.test("The last goes are kept, and others are not known any more", async () => {
  await using node = topicsNode(["t"]);
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const paths: string[] = [];
    for (let i = 0; i <= KEPT_MAX; i++) {
      const { headers } = await admin.ask("POST", "/bulk", { body: "of=topics&action=pause&name=t" });
      paths.push(headers.get("location") ?? "");
    }

    assertEquals((await admin.ask("GET", paths[0])).status, 404);
    assertEquals((await admin.ask("GET", paths[1])).status, 200);
  });
});

const REFUSED: readonly (readonly [body: string, reason: string])[] = [
  ["of=topics&action=ask-pause", "Nothing is ticked"],
  ["of=topics&action=pause", "Nothing is ticked"],
  ["of=topics&action=tombstone&name=t", "That cannot be done here."],
  ["of=nodes&action=pause&name=t", "That cannot be done here."],
  ["of=topics&action=pause&name=t/c", "One of these is no name"],
  ["of=channels&action=pause&name=t", "One of these is no name"],
  ["of=channels&action=pause&name=t/c/d", "One of these is no name"],
  ["of=topics&action=pause&name=%3Cb%3E", "One of these is no name"],
  ["of=topics&action=pause&name=a;b", "invalid semicolon separator in query"],
];

for (const [body, reason] of REFUSED) {
  Deno.test(`POST /bulk of ${body} is refused, on a page`, async () => {
    await using node = topicsNode(["t"]);
    await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
      const { status, text } = await admin.ask("POST", "/bulk", { body });

      assertEquals(status, 400);
      assertStringIncludes(text, reason);
      assertEquals(node.asked.filter((each) => each.startsWith("POST")), []);
    });
  });
}

Deno.test("An operator pauses many, and neither empties nor deletes them, whatever he sends", async () => {
  await using node = topicsNode(["t"]);
  const users = usersOf({ olga: "operator" });
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    const headers = await logIn(admin, "olga");
    const { html } = await pageAt(admin, "/", headers);
    assertEquals(html.match(/ask-\w+/g), ["ask-pause", "ask-unpause"]);
    const statuses = await Promise.all(
      ["pause", "ask-empty", "empty", "ask-delete", "delete"].map(async (action) => {
        const body = `of=topics&action=${action}&name=t&count=1`;
        return (await admin.ask("POST", "/bulk", { body, headers })).status;
      }),
    );

    assertEquals(statuses, [303, 403, 403, 403, 403]);
    assertEquals(node.asked.filter((each) => each.startsWith("POST")), ["POST /topic/pause?topic=t"]);
  }, { users });
});

Deno.test("Who may look only has nothing to tick, and is refused", async () => {
  await using node = topicsNode(["t"]);
  await withNsqadmin({ nsqdHttpAddresses: [node.address], adminUsers: ["root"] }, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    const headers = { "X-Forwarded-User": "bob" };
    const { html } = await pageAt(admin, "/", headers);
    assertEquals(/checkbox|Pause…/.exec(html), null);
    for (const body of ["of=topics&action=ask-pause&name=t", "of=topics&action=pause&name=t"]) {
      assertEquals((await admin.ask("POST", "/bulk", { body, headers })).status, 403);
    }
    assertEquals(node.asked.filter((each) => each.startsWith("POST")), []);

    const root = { "X-Forwarded-User": "root" };
    const body = "of=topics&action=pause&name=t";
    const path = (await admin.ask("POST", "/bulk", { body, headers: root })).headers.get("location") ?? "";
    assertEquals((await admin.ask("POST", path, { body: "action=again", headers })).status, 403);
  });
});
