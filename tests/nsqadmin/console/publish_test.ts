import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PUBLISHED_SIZE_MAX } from "../../../src/nsqadmin/console/change_pages.tsx";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { type ClusterInProcess, withCluster, withNsqadmin } from "../../support/nsqadmin_in_process.ts";

/** What a browser would send of a topic's form. */
function publication(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams({ action: "publish", ...fields }).toString();
}

/** A test with two nodes that have a topic `t` with a channel `c`. */
function publishTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({ nodes: 2 }, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

publishTest("A topic's page publishes to the node that is chosen", async ({ admin, nsqds: [, nsqd] }) => {
  const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
  const form = new HtmlPage((await admin.ask("GET", "/topics/t")).text).forms.find(({ buttons }) =>
    buttons.some(({ value }) => value === "publish")
  );
  assertEquals([form?.action, form?.fields], ["/topics/t", { defer: "" }]);

  const body = publication({ node, defer: "60000", body: "one\r\ntwo é" });
  const { status, headers } = await admin.ask("POST", "/topics/t", { body });

  assertEquals([status, headers.get("location")], [
    303,
    `/topics/t?done=publish&on=${encodeURIComponent(node)}`,
  ]);
  const answer = await fetch(`${nsqd.httpUrl}/messages?topic=t&channel=c`);
  const { messages } = await answer.json() as { messages: { body: string; state: string }[] };
  assertEquals(messages.map(({ body, state }) => [body, state]), [["one\ntwo é", "deferred"]]);
  assertStringIncludes(
    new HtmlPage((await admin.ask("GET", "/topics/t?done=publish")).text).text,
    "The message is published.",
  );
});

publishTest("What cannot be published is refused, with the reason", async ({ admin, nsqds: [nsqd] }) => {
  const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
  const post = async (fields: Readonly<Record<string, string>>, to = "/topics/t") => {
    const { status, text } = await admin.ask("POST", to, { body: publication(fields) });
    return [status, new HtmlPage(text || "<p></p>").text] as const;
  };

  for (
    const [fields, status, reason] of [
      [{ node, body: "" }, 400, "A message must say something."],
      [{ node, body: "x".repeat(PUBLISHED_SIZE_MAX + 1) }, 413, "Messages from here have 64 KiB at most."],
      [{ node, body: "b", defer: "1s" }, 400, "That is no delay"],
      [{ node, body: "b", defer: "1".repeat(13) }, 400, "That is no delay"],
      [{ node, body: "b", defer: "1".repeat(12) }, 200, "INVALID_DEFER"],
      [{ body: "b" }, 400, "That cannot be done here."],
      [{ node: "127.0.0.1:1", body: "b" }, 200, "nobody tells of such a node that has the topic"],
    ] as const
  ) {
    const answer = await post(fields);
    assertEquals([answer[0], answer[1].includes(reason)], [status, true], answer[1]);
  }
  assertEquals((await post({ node, body: "b" }, "/topics/t/c"))[0], 400);
  assertEquals((await post({ node, body: "é".repeat(PUBLISHED_SIZE_MAX / 2) }))[0], 303);
});

Deno.test("A message that was not published can be tried again as it was, and is not logged", async () => {
  let isRefusing = true;
  const bodies: string[] = [];
  await using nsqd: FakeHttp = new FakeHttp(({ method, target, body }): Response => {
    const info = {
      hostname: "h",
      broadcast_address: "127.0.0.1",
      http_port: Number(nsqd.address.split(":")[1]),
    };
    if (method === "GET") return Response.json(target === "/info" ? info : { topics: [{ topic_name: "t" }] });
    if (isRefusing) return new Response("no", { status: 500 });
    bodies.push(body);
    return new Response("OK");
  });
  const auditLog = await Deno.makeTempFile();
  try {
    await withNsqadmin({ nsqdHttpAddresses: [nsqd.address], auditLog }, async (admin) => {
      const body = publication({ node: nsqd.address, body: "<secret>\n" });
      const failed = await admin.ask("POST", "/topics/t", { body });
      assertMatch(new HtmlPage(failed.text).text, /Publish: not done .*got response 500/);

      isRefusing = false;
      const again = new HtmlPage(failed.text).button("Try again");
      assertEquals((await admin.ask("POST", "/topics/t", { body: again.body })).status, 303);
      assertEquals(bodies, ["<secret>\n"]);
    });
    const logged = await Deno.readTextFile(auditLog);
    assertStringIncludes(logged, "action=publish");
    assertEquals(logged.includes("secret"), false);
  } finally {
    await Deno.remove(auditLog);
  }
});

Deno.test("What is done on one node is not done on others, and what is lost there is asked about", async () => {
  await withCluster({ nodes: 2 }, async ({ admin, topic, nsqds: [one, other] }) => {
    await topic("t", "c");
    const node = `127.0.0.1:${one.nsqd.httpPort}`;
    const post = async (fields: Readonly<Record<string, string>>) =>
      await admin.ask("POST", "/topics/t/c", { body: new URLSearchParams({ node, ...fields }).toString() });
    const channelOf = async ({ httpUrl }: { readonly httpUrl: string }) => {
      const { topics } = await (await fetch(`${httpUrl}/stats?format=json`)).json() as {
        topics: { channels: { paused: boolean; depth: number }[] }[];
      };
      const { paused, depth } = topics[0].channels[0];
      return { paused, depth };
    };
    for (const { httpUrl } of [one, other]) {
      await (await fetch(`${httpUrl}/pub?topic=t`, { method: "POST", body: "b" })).text();
    }

    assertEquals((await post({ action: "pause" })).status, 303);
    assertEquals([await channelOf(one), await channelOf(other)], [
      { paused: true, depth: 1 },
      { paused: false, depth: 1 },
    ]);
    const asked = new HtmlPage((await post({ action: "ask-empty" })).text);
    assertEquals(asked.all("h1"), [`Empty channel c of topic t on node ${node}?`]);
    assertStringIncludes(asked.text, "on this node only");
    assertEquals((await channelOf(one)).depth, 1);
    const { body } = asked.button("Empty");
    assertEquals((await admin.ask("POST", "/topics/t/c", { body })).status, 303);
    assertEquals([(await channelOf(one)).depth, (await channelOf(other)).depth], [0, 1]);
    assertStringIncludes(
      (await post({ action: "pause", node: "127.0.0.1:1" })).text,
      "nobody tells of such a node that has the topic",
    );
    assertStringIncludes((await admin.ask("GET", "/api/activity")).text, `"node":"${node}"`);
  });
});
