import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PAGE_MESSAGES, SHOWN_BODY_SIZE, WORD_LENGTH_MAX } from "../../../src/cluster/messages.ts";
import { fakeNode, pageAt } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp, type FakeHttpRequest } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import {
  type ClusterInProcess,
  type NsqadminInProcess,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import { TempFolder } from "../../support/interop.ts";
import { deadAddress } from "../../support/ports.ts";

const PAGE = "/topics/t/c/messages";
const [ID, STATE, ATTEMPTS, , BYTES, BODY] = [0, 1, 2, 3, 4, 5];

function messagesOf(page: HtmlPage): string[][] {
  return page.rows.slice(1);
}

async function press(
  admin: NsqadminInProcess,
  page: HtmlPage,
  button: string,
): Promise<{ readonly status: number; readonly location: string; readonly page: HtmlPage }> {
  const { action = "/topics/t/c", body } = page.button(button);
  const { status, headers, text } = await admin.ask("POST", action, { body, headers: { Origin: admin.url } });
  return { status, location: headers.get("location") ?? "", page: new HtmlPage(text) };
}

/** A test with one node that has a topic `t` with a channel `c`. */
function messagesTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({}, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

/** A node with a topic `t` that answers `/messages`, and what is to be done, like that. */
function nodeWith(answer: (request: FakeHttpRequest) => Response): FakeHttp {
  return fakeNode((request) =>
    request.target.startsWith("/message") ? answer(request) : Response.json({ topics: [{ topic_name: "t" }] })
  );
}

messagesTest("A channel's page leads to its messages, which are shown as published", async (cluster) => {
  const { admin, nsqds: [nsqd] } = cluster;
  await publish(nsqd, "t", "first", "second");

  const page = await pageAt(admin, PAGE);

  assert((await pageAt(admin, "/topics/t/c")).links.includes(PAGE));
  assertEquals(page.all("h1"), ["Messages of channel c"]);
  assertEquals(
    messagesOf(page).map((row) => [row[STATE], row[ATTEMPTS], row[BYTES], row[BODY]]),
    [["waiting", "0", "5", "first"], ["waiting", "0", "6", "second"]],
  );
  assertMatch(messagesOf(page)[0][ID], /^[0-9a-f]{16}$/);
  assertMatch(messagesOf(page)[0][3], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertStringIncludes(page.text, "2 looked at.");
});

messagesTest("Messages are shown a page at a time", async ({ admin, nsqds: [nsqd] }) => {
  const bodies = Array.from({ length: PAGE_MESSAGES + 1 }, (_, i) => `m${i}`);
  await publish(nsqd, "t", ...bodies);

  const first = await pageAt(admin, PAGE);
  const next = first.links.find((link) => link.includes("cursor="));
  const second = await pageAt(admin, PAGE + next);

  assertEquals(messagesOf(first).map((row) => row[BODY]), bodies.slice(0, PAGE_MESSAGES));
  assertEquals(messagesOf(second).map((row) => row[BODY]), [`m${PAGE_MESSAGES}`]);
  assertEquals(
    second.links.filter((link) => /^\?(?!.*format=)/.test(link)).map((link) => link.includes("cursor")),
    [
      false,
    ],
  );
});

for (
  const [query, bodies] of [
    ["search=order", ['{"order":1}', '{"order":12}']],
    ["by=pattern&search=r%22%3A%5Cd%5Cd", ['{"order":12}']],
    ["by=path&search=%24.order", ['{"order":1}', '{"order":12}']],
    ["by=path&search=%24.order&value=1", ['{"order":1}']],
    ["state=deferred", ["There is none."]],
    ["state=waiting&value=1", ['{"order":1}', '{"order":12}', "other"]],
  ] as const
) {
  messagesTest(`The messages' page finds what ${query} says`, async ({ admin, nsqds: [nsqd] }) => {
    await publish(nsqd, "t", '{"order":1}', '{"order":12}', "other");

    const page = await pageAt(admin, `${PAGE}?${query}`);

    assertEquals(messagesOf(page).map((row) => row[BODY] ?? row[0]), [...bodies]);
  });
}

messagesTest("A search that is none is refused in words, and stays in the form", async ({ admin }) => {
  const pattern = await pageAt(admin, `${PAGE}?by=pattern&search=(`);
  const path = await pageAt(admin, `${PAGE}?by=path&search=order`);

  assertStringIncludes(pattern.text, "shows no messages: that is no pattern (RE2)");
  assertStringIncludes(path.text, "shows no messages: that is no JSON path");
  assertEquals(pattern.forms[0].fields.search, "(");
});

messagesTest("A long body is cut, and shown as hex if wanted, or if it is no text", async (cluster) => {
  const { admin, nsqds: [nsqd] } = cluster;
  await publish(nsqd, "t", "x".repeat(SHOWN_BODY_SIZE), "x".repeat(SHOWN_BODY_SIZE + 1));
  await (await fetch(`${nsqd.httpUrl}/pub?topic=t`, { method: "POST", body: new Uint8Array([0xff, 0]) }))
    .text();

  const [whole, cut, binary] = messagesOf(await pageAt(admin, PAGE)).map((row) => row[BODY]);
  const [hex] = messagesOf(await pageAt(admin, `${PAGE}?as=hex`)).map((row) => row[BODY]);

  assertEquals(whole, "x".repeat(SHOWN_BODY_SIZE));
  assertEquals(cut, `${"x".repeat(SHOWN_BODY_SIZE)} only the first ${SHOWN_BODY_SIZE} bytes are shown`);
  assertEquals(binary, "ff 00 no text: shown as hex");
  assertEquals(hex, Array(SHOWN_BODY_SIZE).fill("78").join(" "));
});

messagesTest("A message is deleted when that is confirmed, and the search is kept", async (cluster) => {
  const { admin, nsqds: [nsqd] } = cluster;
  await publish(nsqd, "t", "bad one", "good");
  const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
  const page = await pageAt(admin, `${PAGE}?search=bad&as=hex`);
  const [[id]] = messagesOf(page);

  const asked = await press(admin, page, "Delete…");
  assertEquals([asked.status, asked.page.all("h1")], [200, [
    `Delete message ${id} of channel c of topic t on node ${node}?`,
  ]]);
  assertEquals((await statsOf(nsqd, "t"))?.channels[0].depth, 2);
  const done = await press(admin, asked.page, "Delete message");

  assertEquals(done.status, 303);
  assertEquals(
    done.location,
    `${PAGE}?node=${encodeURIComponent(node)}&search=bad&as=hex&done=delete-message`,
  );
  assertStringIncludes((await pageAt(admin, done.location)).text, "The message is deleted.");
  assertEquals(messagesOf(await pageAt(admin, PAGE)).map((row) => row[BODY]), ["good"]);
  const again = await press(admin, asked.page, "Delete message");
  assertEquals([again.status, again.page.all("h1")], [200, ["Delete message: not done"]]);
  assertStringIncludes(again.page.text, "it does not have the message any more");
});

messagesTest("A deferred message is requeued at once", async ({ admin, nsqds: [nsqd] }) => {
  await (await fetch(`${nsqd.httpUrl}/pub?topic=t&defer=600000`, { method: "POST", body: "later" })).text();
  const page = await eventually("it is the channel's", async () => {
    const page = await pageAt(admin, `${PAGE}?state=deferred`);
    // A row that says that there is none has one cell.
    return messagesOf(page)[0].length > 1 && page;
  });
  assertMatch(messagesOf(page)[0][STATE], /^deferred, due in (10m0s|9m\d\ds)$/);

  const { status, location } = await press(admin, page, "Deliver now");

  assertEquals([status, location.includes("state=deferred&done=requeue-message")], [303, true]);
  assertEquals(messagesOf(await pageAt(admin, PAGE))[0][STATE], "waiting");
});

Deno.test("What is done with a message is notified, with its id and node", async () => {
  await using endpoint = new FakeHttp();
  const notificationHttpEndpoint = `http://${endpoint.address}/`;
  await withCluster({ nsqadmin: { notificationHttpEndpoint } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c");
    await publish(nsqd, "t", "body");
    const page = await pageAt(admin, PAGE);

    await press(admin, page, "Requeue now");
    await admin.nsqadmin.stop();

    const { action, topic: of, channel, node, message } = JSON.parse(endpoint.requests[0].body);
    assertEquals({ action, of, channel, node, message }, {
      action: "requeue_message",
      of: "t",
      channel: "c",
      node: `127.0.0.1:${nsqd.nsqd.httpPort}`,
      message: messagesOf(page)[0][ID],
    });
  });
});

Deno.test("What is done with a message is in the audit log", async () => {
  await using folder = await TempFolder.make();
  const auditLog = `${folder.path}/audit.log`;
  const body = "action=delete-message&node=a%3A1&id=0d3c8f2a1b4e5f60";
  await withCluster({ nsqadmin: { auditLog } }, async ({ admin, topic }) => {
    await topic("t", "c");
    await admin.ask("POST", "/topics/t/c", { body });
  });

  const { method, target, value, status } = JSON.parse(await Deno.readTextFile(auditLog));
  assertEquals([method, target, value, status], ["POST", "/topics/t/c", body, 200]);
});

messagesTest(
  "Who may look at numbers only sees no messages, and cannot act on them",
  async ({ lookupd, nsqds: [nsqd] }) => {
    await publish(nsqd, "t", "secret");
    const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    const options = { lookupdHttpAddresses: [lookupd.httpAddress], adminUsers: ["root"] };
    await withNsqadmin(options, async (admin) => {
      const looked = await admin.ask("GET", PAGE);
      assertEquals([looked.status, looked.text.includes("secret")], [403, false]);
      assertEquals((await pageAt(admin, "/topics/t/c")).links.includes(PAGE), false);
      const root = await admin.ask("GET", PAGE, { headers: { "X-Forwarded-User": "root" } });
      const { body } = new HtmlPage(root.text).button("Delete…");

      const done = await admin.ask("POST", "/topics/t/c", { body: body.replace("ask-", "") });

      assertEquals([done.status, new URLSearchParams(body).get("node")], [403, node]);
      assertEquals((await statsOf(nsqd, "t"))?.channels[0].depth, 1);
    });
  },
);

messagesTest("A form of another site acts on no message", async ({ admin, nsqds: [nsqd] }) => {
  await publish(nsqd, "t", "body");
  const { body } = (await pageAt(admin, PAGE)).button("Delete…");

  const { status } = await admin.ask("POST", "/topics/t/c", {
    body: body.replace("ask-", ""),
    headers: { Origin: "http://evil.example" },
  });

  assertEquals([status, (await statsOf(nsqd, "t"))?.channels[0].depth], [403, 1]);
});

messagesTest("A node of which nobody tells is not asked, nor told", async ({ admin }) => {
  await using stranger = new FakeHttp();
  const node = encodeURIComponent(stranger.address);

  const page = await pageAt(admin, `${PAGE}?node=${node}`);
  const { status, text } = await admin.ask("POST", "/topics/t/c", {
    body: `action=delete-message&id=0d3c8f2a1b4e5f60&node=${node}`,
  });

  assertStringIncludes(page.text, "shows no messages: nobody tells of such a node that has the topic");
  assertEquals(status, 200);
  assertStringIncludes(new HtmlPage(text).text, "nobody tells of such a node that has the topic");
  assertEquals(stranger.asked, []);
});

Deno.test("The messages' page is there when nobody answers, and says so", async () => {
  const dead = deadAddress();
  await withNsqadmin({ lookupdHttpAddresses: [dead] }, async (admin) => {
    const { headers, text } = await admin.ask("GET", PAGE);

    assertMatch(headers.get("content-security-policy") ?? "", /^default-src 'none'; script-src 'self'; /);
    assertStringIncludes(new HtmlPage(text).text, `nsqlookupd ${dead} : Get "http://${dead}/`);
    assertStringIncludes(new HtmlPage(text).text, "No node that is known has this topic.");
  });
});

for (
  const [what, answer, reason] of [
    [
      "has no such endpoint, as NSQ's",
      () => Response.json({ message: "NOT_FOUND" }, { status: 404 }),
      "this nsqd does not offer it (404): it is NSQ's, ",
    ],
    ["fails", () => new Response("no", { status: 500 }), 'got response 500 Internal Server Error "no"'],
    [
      "lies",
      () => Response.json({ messages: [{ body: "!", encoding: "base64" }] }),
      'Get "http://127.0.0.1:',
    ],
    [
      "has an endless id",
      () => Response.json({ messages: [{ id: "x".repeat(WORD_LENGTH_MAX + 1) }] }),
      `id has more than ${WORD_LENGTH_MAX} characters`,
    ],
    [
      "has an endless time",
      () => Response.json({ messages: [{ due_in_ms: 1e305 }] }),
      "due_in_ms is too large",
    ],
  ] as const
) {
  Deno.test(`A node that ${what} is named, with the reason`, async () => {
    await using node = nodeWith(answer);
    await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
      const page = await pageAt(admin, PAGE);

      assertStringIncludes(page.text, `Node ${node.address} shows no messages: `);
      assertStringIncludes(page.text, reason);
      assertEquals(page.forms[0].buttons.map(({ text }) => text), ["Show"]);
    });
  });
}

Deno.test("What hostile messages say stays text, of limited length", async () => {
  const hostile = `"'><script>alert(1)</script>&amp;</code></td>\u202e\x00\u200b`;
  const message = { id: hostile, state: hostile, client: hostile, timestamp: hostile, body: hostile };
  await using node = nodeWith(() =>
    Response.json({
      messages: [
        message,
        { ...message, state: "in_flight", body: hostile + "x".repeat(1e6) },
        { body: new Uint8Array(1e5).toBase64(), encoding: "base64" },
        ...Array(100).fill({ body: "more than was asked for" }),
      ],
      cursor: hostile,
    })
  );
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const page = await pageAt(admin, `${PAGE}?search=${encodeURIComponent(hostile)}`);
    const [first, second, third] = messagesOf(page);
    const asked = await press(admin, page, "Delete…");

    assertEquals(first[BODY], `"'><script>alert(1)</script>&amp;</code></td>\\u202e\\u0000\\u200b`);
    assertEquals(first[STATE], first[BODY]);
    assertStringIncludes(second[STATE], `in flight: ${first[BODY]}`);
    assertEquals(second[BODY].endsWith(`x only the first ${SHOWN_BODY_SIZE} bytes are shown`), true);
    assertEquals(second[BODY].length < SHOWN_BODY_SIZE + 100, true);
    assertEquals(third[BODY].startsWith("00 00 "), true);
    assertEquals(messagesOf(page).length, PAGE_MESSAGES);
    for (const each of [page, asked.page]) {
      assertEquals(each.html.match(/<script/g)?.length, 1);
      assertEquals(each.links.filter((link) => !/^(\/(?!\/)|[?#])/.test(link)), []);
    }
  });
});

Deno.test("An id is shown as long as it may be", async () => {
  const id = "x".repeat(WORD_LENGTH_MAX);
  await using node = nodeWith(() =>
    Response.json({ messages: [{ id, due_in_ms: Number.MAX_SAFE_INTEGER }] })
  );
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    assertEquals(messagesOf(await pageAt(admin, PAGE))[0][ID], id);
  });
});

Deno.test("A message that is acted on is named to its node, whatever its name", async () => {
  await using node = nodeWith(({ method }) => method === "POST" ? new Response("") : Response.json({}));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const form = {
      action: "requeue-message",
      node: node.address,
      id: "a&topic=x#?",
      at: "cursor=%0d%0aX:y&x=1",
    };

    const { status, headers } = await admin.ask("POST", "/topics/t/c", {
      body: new URLSearchParams(form).toString(),
    });

    assertEquals(status, 303);
    assertEquals(
      headers.get("location"),
      `${PAGE}?node=${encodeURIComponent(node.address)}&cursor=%0D%0AX%3Ay&done=requeue-message`,
    );
    assertEquals(node.asked.at(-1), "POST /message/requeue?topic=t&channel=c&id=a%26topic%3Dx%23%3F");
  });
});

for (
  const [target, body] of [
    ["/topics/t", "action=delete-message&node=a:1&id=1"],
    ["/topics/t/c", "action=delete-message&node=a:1"],
    ["/topics/t/c", "action=requeue-message&id=1"],
    ["/topics/t/c", "action=requeue-message&id=1&node=a:1&at=a;b"],
  ]
) {
  Deno.test(`POST ${target} of ${body} is refused`, async () => {
    await using node = nodeWith(() => new Response(""));
    await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
      assertEquals([(await admin.ask("POST", target, { body })).status, node.asked], [400, []]);
    });
  });
}
