import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PAGE_ROWS } from "../../../src/nsqadmin/console/table.ts";
import { fakeNode } from "../../support/console_pages.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { post, publish, withCluster, withNsqadmin } from "../../support/nsqadmin_in_process.ts";

/** An nsqd that says that it has these topics. */
function nsqdWith(topics: readonly unknown[]): FakeHttp {
  return fakeNode(() => Response.json({ topics }));
}

Deno.test("A table as a file has all rows that the filter lets through, in their order", async () => {
  const count = PAGE_ROWS * 2 + 1;
  await using nsqd = nsqdWith(Array.from({ length: count }, (_, i) => ({ topic_name: `t${i}`, depth: i })));
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const all = await admin.json("/?format=json&sort=-depth&page=2") as { rows: { name: string }[] };
    const some = await admin.ask("GET", "/topics?format=csv&filter=T20");

    assertEquals(
      all.rows.map(({ name }) => name),
      Array.from({ length: count }, (_, i) => `t${count - 1 - i}`),
    );
    assertEquals(some.headers.get("content-type"), "text/csv; charset=utf-8; header=present");
    assertEquals(some.text.split("\r\n").map((line) => line.split(",").slice(0, 2)), [
      ["name", "depth"],
      ["t20", "20"],
      ["t200", "200"],
      [""],
    ]);
  });
});

Deno.test("Every table is linked to as files, which are there", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], lookupd, topic }) => {
    await topic("t", "c.csv");
    for (const channel of ["d", "e"]) {
      await post(`http://${lookupd.httpAddress}/channel/create?topic=idle&channel=${channel}`);
    }
    await publish(nsqd, "t", "body");
    const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    const found: [string, number, unknown][] = [];
    for (
      const path of [
        "/",
        "/topics/t",
        "/topics/t/c.csv",
        "/channels",
        "/nodes",
        `/nodes/${node}`,
        "/counter",
        "/lookup",
        "/alerts",
        "/redrives",
      ]
    ) {
      const page = new HtmlPage((await admin.ask("GET", `${path}?done=pause`)).text);
      for (const link of page.links.filter((each) => each.includes("format="))) {
        assert(!link.includes("done"));
        const { status, json, text } = await admin.ask("GET", path + link);
        const rows = json === undefined
          ? text.split("\r\n").slice(1, -1)
          : (json as { rows: unknown[] }).rows;
        found.push([path + link, status, rows.length]);
      }
    }

    assertEquals(found, [
      ["/?format=csv", 200, 1],
      ["/?format=json", 200, 1],
      ["/topics/t?format=csv&table=nodes", 200, 1],
      ["/topics/t?format=json&table=nodes", 200, 1],
      ["/topics/t?format=csv&table=channels", 200, 1],
      ["/topics/t?format=json&table=channels", 200, 1],
      ["/topics/t/c.csv?format=csv&table=nodes", 200, 1],
      ["/topics/t/c.csv?format=json&table=nodes", 200, 1],
      ["/topics/t/c.csv?format=csv&table=consumers", 200, 0],
      ["/topics/t/c.csv?format=json&table=consumers", 200, 0],
      ["/channels?format=csv", 200, 1],
      ["/channels?format=json", 200, 1],
      ["/nodes?format=csv", 200, 1],
      ["/nodes?format=json", 200, 1],
      [`/nodes/${node}?format=csv`, 200, 1],
      [`/nodes/${node}?format=json`, 200, 1],
      ["/counter?format=csv", 200, 1],
      ["/counter?format=json", 200, 1],
      ["/lookup?format=csv", 200, 1],
      ["/lookup?format=json", 200, 1],
      ["/alerts?format=csv", 200, 1],
      ["/alerts?format=json", 200, 1],
      ["/redrives?format=csv", 200, 0],
      ["/redrives?format=json", 200, 0],
    ]);
    assertEquals(
      (await admin.ask("GET", "/counter?format=csv")).text,
      "messages,in,channels,nodes\r\n1,0,1,1\r\n",
    );
    assertEquals((await admin.ask("GET", "/lookup?format=csv")).text, "topic,channels\r\nidle,d e\r\n");
    assertEquals(await admin.json("/topics/t?format=json&table=channels"), {
      rows: [{
        channel: "c.csv",
        depth: 1,
        in_memory: 1,
        on_disk: 0,
        in_flight: 0,
        deferred: 0,
        in: 0,
        out: 0,
        requeued: 0,
        timed_out: 0,
        messages: 1,
        consumers: 0,
        paused: false,
      }],
      failures: [],
    });
  });
});

Deno.test("Alerts and activities are rows of files, as many as the filter lets through", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    for (const name of ["t", "x"]) {
      await topic(name, "c");
      await publish(nsqd, name, "body");
      await admin.ask("POST", `/api/topics/${name}`, { body: { action: "pause" } });
    }

    const alerts = await admin.json("/alerts?filter=t/c&format=json") as { rows: Record<string, unknown>[] };
    assertEquals(
      alerts.rows.map(({ state, kind, topic, channel, node, value, fired }) => [
        ...[state, kind, topic, channel, node, value, fired],
      ]),
      [["pending", "no-consumers", "t", "c", null, 1, null]],
    );
    const { text } = await admin.ask("GET", "/activity?filter=x", { headers: { Accept: "text/csv" } });
    const [head, row, end] = text.split("\r\n").map((line) => line.split(","));
    assertEquals([row[head.indexOf("action")], row[head.indexOf("topic")]], ["pause", "x"]);
    assertEquals(end, [""]);
  });
});

Deno.test("A page is a file for whoever accepts that first, and for browsers HTML", async () => {
  await withCluster({}, async ({ admin }) => {
    const typeFor = async (accept: string) =>
      (await admin.ask("GET", "/", { headers: { accept } })).headers.get("content-type");

    assertEquals(await typeFor("text/csv"), "text/csv; charset=utf-8; header=present");
    assertEquals(
      await typeFor("image/png, Application/JSON;q=0.9, text/csv"),
      "application/json; charset=utf-8",
    );
    assertEquals(await typeFor("text/html,application/json"), "text/html");
    assertEquals(await typeFor("*/*"), "text/html");
  });
});

Deno.test("A file of a format or table that there is not is refused", async () => {
  await withCluster({}, async ({ admin, topic }) => {
    await topic("t");
    for (
      const [query, reason] of [
        ["format=xml", "That is no format of a table"],
        ["format=csv&table=constructor", "There is no such table on this page"],
      ]
    ) {
      const { status, text } = await admin.ask("GET", `/topics/t?${query}`);

      assertEquals(status, 400);
      assertStringIncludes(new HtmlPage(text).text, reason);
    }
  });
});

Deno.test("Names in a file are no formulas, and stay in their cells; who has not answered is told in JSON", async () => {
  await using nsqd = nsqdWith([{ topic_name: '=cmd|"a",b\r\n<x>' }]);
  await using silent = new FakeHttp(() => new Response("no", { status: 500 }));
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address, silent.address] }, async (admin) => {
    const csv = await admin.ask("GET", "/?format=csv");
    const { text, json } = await admin.ask("GET", "/?format=json");

    assertStringIncludes(csv.text, `\r\n"'=cmd|""a"",b\r\n<x>",0,`);
    assert(!text.includes("<"));
    const { rows, failures } = json as { rows: { name: string }[]; failures: { address: string }[] };
    assertEquals(rows.map(({ name }) => name), ['=cmd|"a",b\r\n<x>']);
    assertEquals(failures.map(({ address }) => address), [silent.address]);
  });
});
