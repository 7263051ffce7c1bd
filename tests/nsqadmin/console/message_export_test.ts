import { assertEquals, assertStringIncludes } from "@std/assert";
import { WHOLE_BODY_SIZE } from "../../../src/cluster/messages.ts";
import { EXPORTED_MAX } from "../../../src/nsqadmin/console/message_export.tsx";
import { fakeNode, pageAt } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { logIn, usersOf } from "../../support/login.ts";
import {
  type ClusterInProcess,
  type NsqadminInProcess,
  post,
  publish,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";

const PAGE = "/topics/t/c/messages";

interface Line {
  readonly topic?: string;
  readonly channel?: string;
  readonly node?: string;
  readonly state?: string;
  readonly body?: string;
  readonly body_base64?: string;
  readonly cut?: boolean;
  readonly error?: string;
}

async function linesOf(admin: NsqadminInProcess, query = ""): Promise<Line[]> {
  const { status, headers, text } = await admin.ask("GET", `${PAGE}?format=ndjson${query}`);
  assertEquals([status, headers.get("content-type")], [200, "application/x-ndjson; charset=utf-8"]);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

function exportTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({}, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

exportTest("A page of messages is a file, with what was searched for", async ({ admin, nsqds: [nsqd] }) => {
  await publish(nsqd, "t", "=one", "two");
  await post(`${nsqd.httpUrl}/pub?topic=t&defer=50000`, "later");
  await eventually("it is deferred", async () => {
    return (await pageAt(admin, `${PAGE}?state=deferred`)).rows.length === 2;
  });

  const { rows } = await admin.json(`${PAGE}?format=json`) as { rows: Record<string, unknown>[] };
  const csv = (await admin.ask("GET", `${PAGE}?format=csv&search=one`)).text.split("\r\n");

  assertEquals(rows.map(({ state, attempts, size, body, cut }) => [state, attempts, size, body, cut]), [
    ["waiting", 0, 4, "=one", false],
    ["waiting", 0, 3, "two", false],
    ["deferred", 0, 5, "later", false],
  ]);
  assertEquals(csv[0].split(",").slice(0, 4), ["id", "state", "attempts", "timestamp"]);
  assertEquals(csv.slice(1).map((line) => line.split(",")[8]), ["'=one", undefined]);
  const { links } = await pageAt(admin, PAGE);
  assertEquals(links.filter((link) => link.includes("format=")), [
    "?format=csv",
    "?format=json",
    "?format=ndjson",
  ]);
});

exportTest(
  "Many messages are lines of JSON, from all pages, as many as are wanted",
  async ({ admin, nsqds: [nsqd] }) => {
    const bodies = Array.from({ length: 120 }, (_, i) => `m${i}`);
    await post(`${nsqd.httpUrl}/mpub?topic=t`, bodies.join("\n"));
    await publish(nsqd, "t", "x".repeat(WHOLE_BODY_SIZE + 1));
    const binary = await fetch(`${nsqd.httpUrl}/pub?topic=t`, {
      method: "POST",
      body: new Uint8Array([0xff]),
    });
    await binary.text();

    const all = await linesOf(admin);
    const some = await linesOf(admin, "&count=70&search=m1");

    const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    assertEquals(all.slice(0, 120).map(({ body }) => body), bodies);
    const { topic, channel, state } = all[0];
    assertEquals([topic, channel, all[0].node, state], ["t", "c", node, "waiting"]);
    assertEquals([all[120].body?.length, all[120].cut], [WHOLE_BODY_SIZE, true]);
    assertEquals(all[121].body_base64, "/w==");
    assertEquals(some.map(({ body }) => body), bodies.filter((body) => body.includes("m1")));
    assertEquals((await linesOf(admin, "&count=1")).map(({ body }) => body), ["m0"]);
    for (const count of ["0", "x", String(EXPORTED_MAX + 1)]) {
      assertEquals((await admin.ask("GET", `${PAGE}?format=ndjson&count=${count}`)).status, 400);
    }
  },
);

Deno.test("A file of messages says where it is cut because the node fails", async () => {
  let asked = 0;
  await using nsqd = fakeNode(({ target }) => {
    if (!target.startsWith("/messages")) return Response.json({ topics: [{ topic_name: "t" }] });
    return asked++ === 0
      ? Response.json({ messages: [{ id: "1", body: "one" }], cursor: "next" })
      : Response.json({ message: "TOO_MANY_PEEKS" }, { status: 429 });
  });
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const [one, end, ...others] = await linesOf(admin);

    assertEquals([one.body, others.length], ["one", 0]);
    assertStringIncludes(end.error ?? "", "too many are looking");
    assertEquals((await admin.ask("GET", `${PAGE}?format=ndjson&node=a%3A1`)).status, 404);
  });
});

Deno.test("A file of messages ends when whoever asks has logged out", async () => {
  let logOut = () => Promise.resolve();
  await using nsqd = fakeNode(async ({ target }) => {
    if (!target.startsWith("/messages")) return Response.json({ topics: [{ topic_name: "t" }] });
    await logOut();
    return Response.json({ messages: [{ id: "1", body: "one" }], cursor: "next" });
  });
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const headers = await logIn(admin, "petra");
    logOut = async () => void await admin.ask("POST", "/logout", { headers });

    const { text } = await admin.ask("GET", `${PAGE}?format=ndjson&count=100`, { headers });

    assertEquals(
      text.trimEnd().split("\n").map((line) => JSON.parse(line)).map(({ body, error }) => body ?? error),
      [
        "one",
        "you may not read messages any more",
      ],
    );
  }, { users: usersOf({ petra: "peek" }) });
});

Deno.test("Dead letters of a channel are messages of another topic, to which the page leads", async () => {
  await withCluster({ nsqadmin: { pollIntervalMs: 100 } }, async ({ admin, topic }) => {
    await topic("t", "c");
    await topic("t.failed", "d");

    const page = await eventually("the topic is known", async () => {
      const found = await pageAt(admin, `${PAGE}?state=dead`);
      return found.links.includes("/topics/t.failed/d/messages") && found;
    });

    assertEquals(page.links.filter((link) => link.includes("t.failed")), [
      "/topics/t.failed",
      "/topics/t.failed/d/messages",
    ]);
    const { text } = await pageAt(admin, "/topics/t.failed/d/messages?state=dead");
    assertStringIncludes(text, "No topic is known that holds dead letters of t.failed");
  });
});

Deno.test("Who may not read messages gets no file of them", async () => {
  await withCluster({ nsqadmin: { adminUsers: ["root"] } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c");
    await publish(nsqd, "t", "secret");

    for (const format of ["csv", "json", "ndjson"]) {
      const { status, text } = await admin.ask("GET", `${PAGE}?format=${format}`);
      assertEquals([format, status, text.includes("secret")], [format, 403, false]);
    }
  });
});
