import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fakeNode, lookupdOf, nodeWith, pageAt } from "../../support/console_pages.ts";
import { FakeHttp, RawAnswerer } from "../../support/fake_http.ts";
import { eventually } from "../../support/eventually.ts";
import { IMPATIENT, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { deadAddress, freePort } from "../../support/ports.ts";

Deno.test("Pages ask nobody anything as long as what is known is not old", async () => {
  await using node = nodeWith(() => 1);
  await using lookupd = lookupdOf(() => [node.address]);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    for (const path of ["/", "/nodes", "/counter", `/nodes/${node.address}`, "/"]) await pageAt(admin, path);

    assertEquals(node.asked, ["GET /stats?format=json&include_clients=false&include_node=true"]);
    assertEquals(lookupd.asked, ["GET /nodes", "GET /info"]);
  });
});

Deno.test("The poller asks all the time when it keeps a history, and else only while somebody looks", async () => {
  await using node = nodeWith(() => 1);
  await using lookupd = lookupdOf(() => [node.address]);
  const options = { lookupdHttpAddresses: [lookupd.address], pollIntervalMs: 100 };
  await withNsqadmin({ ...options, history: true }, async () => {
    await eventually("it is asked again", () => node.requests.length >= 3);
  });

  const before = node.requests.length;
  await withNsqadmin({ ...options, history: false }, async (admin) => {
    await admin.ask("GET", "/ping");
    assertEquals(node.requests.length, before);
    await pageAt(admin, "/");
    await eventually("it is asked again", () => node.requests.length >= before + 3);
  });
});

Deno.test("A node that does not answer delays no page but the first, and is named", async () => {
  await using hung = new FakeHttp(() => new Promise(() => {}));
  await using node = nodeWith(() => 7);
  await using lookupd = lookupdOf(() => [hung.address, node.address]);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const page = await pageAt(admin, "/");

    assertStringIncludes(page.text, "nodes 1 of 2 topics 1 waiting in topics 7");
    assertMatch(
      page.text,
      new RegExp(`One daemon has not answered .*nsqd ${hung.address} : is late, and not waited for`),
    );
    const [row] = (await pageAt(admin, "/nodes?sort=-state")).rows.slice(1);
    assertEquals([row[1], row[7]], [hung.address, "late"]);
    // Another round does not wait for it.
    const [asked] = [hung.requests.length];
    await admin.nsqadmin.poller.refresh();
    assertEquals(hung.requests.length, asked);
  }, { waits: IMPATIENT });
});

Deno.test("An nsqlookupd that hangs from the first delays no page: the nodes of the others are there, and it is named", async () => {
  await using hung = new FakeHttp(() => new Promise(() => {}));
  await using node = nodeWith(() => 7);
  await using lookupd = lookupdOf(() => [node.address]);
  const lookupdHttpAddresses = [hung.address, lookupd.address];
  // Longer than the test may take.
  await withNsqadmin({ lookupdHttpAddresses, httpClientRequestTimeoutMs: 600_000 }, async (admin) => {
    const late = `nsqlookupd ${hung.address} : is late, and not waited for`;
    const first = await pageAt(admin, "/");
    assertStringIncludes(first.text, "nodes 1 topics 1 waiting in topics 7");
    assertStringIncludes(first.text, late);
    assertMatch(
      (await pageAt(admin, "/cluster")).text,
      new RegExp(
        `${hung.address} does not answer 0 ${lookupd.address} answers .*nsqlookupd ${hung.address} never is late`,
      ),
    );
    assertEquals((await pageAt(admin, "/topics/t")).rows.at(1)?.slice(0, 2), [
      `host-${node.address.split(":")[1]} ${node.address}`,
      "7",
    ]);
    for (const path of ["/consumers", "/lookup", "/topics/t/c/messages"]) {
      assertStringIncludes((await pageAt(admin, path)).text, `nsqlookupd ${hung.address} : Get`);
    }
    // The poller asks once, however long that takes.
    const asked = hung.requests.length;
    await admin.nsqadmin.poller.refresh();
    assertEquals(hung.requests.length, asked);
  }, { waits: IMPATIENT });
});

Deno.test("In a list of nsqds one that hangs from the first delays no page", async () => {
  await using hung = new FakeHttp(() => new Promise(() => {}));
  await using node = fakeNode(() => Response.json({ topics: [{ topic_name: "t", depth: 7 }] }));
  const options = { nsqdHttpAddresses: [hung.address, node.address], httpClientRequestTimeoutMs: 600_000 };
  await withNsqadmin(options, async (admin) => {
    const page = await pageAt(admin, "/");

    assertStringIncludes(page.text, "nodes 1 topics 1 waiting in topics 7");
    assertStringIncludes(page.text, `nsqd ${hung.address} : is late, and not waited for`);
  }, { waits: IMPATIENT });
});

Deno.test("A node that fails keeps its numbers for a while, and one that nobody tells of is gone, with its last", async () => {
  let isDead = false;
  let told = true;
  await using node = nodeWith(() => 2);
  await using other = new FakeHttp(() =>
    isDead ? new Response("no", { status: 500 }) : Response.json({ topics: [{ topic_name: "u", depth: 5 }] })
  );
  await using lookupd = lookupdOf(() => told ? [node.address, other.address] : [node.address]);
  const lines = await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { poller } = admin.nsqadmin;
    assertStringIncludes((await pageAt(admin, "/")).text, "nodes 2 topics 2 waiting in topics 7");
    isDead = true;
    await poller.refresh();
    const failing = await pageAt(admin, "/");
    assertMatch(
      failing.text,
      new RegExp(
        `nsqd ${other.address} : got response 500 Internal Server Error "no", and has answered last at \\d{4}-`,
      ),
    );
    assertStringIncludes(failing.text, "nodes 2 topics 2 waiting in topics 7");
    told = false;
    poller.rediscover();
    await poller.refresh();

    const gone = await pageAt(admin, "/");
    assertMatch(
      gone.text,
      new RegExp(`One node is gone .*${other.address} , \\d+s ago, with 5 messages waiting`),
    );
    assertStringIncludes(gone.text, "nodes 1 topics 1 waiting in topics 2");
    assertStringIncludes((await pageAt(admin, `/nodes/${other.address}`)).text, "it is gone.");
    assertEquals((await pageAt(admin, `/nodes/${other.address}`)).rows[1][0], "u");
    told = true;
    isDead = false;
    poller.rediscover();
    await poller.refresh();
    assertStringIncludes((await pageAt(admin, "/")).text, "nodes 2 topics 2 waiting in topics 7");
  });

  assertEquals(lines.filter((line) => line.includes("WATCH")), [
    `WARNING: WATCH: ${other.address} does not answer - got response 500 Internal Server Error "no"`,
    `INFO: WATCH: ${other.address} answers again`,
  ]);
});

Deno.test("A node that is killed, and of which nobody tells any more, is gone two rounds later", async () => {
  await using node = nodeWith(() => 2);
  const killed = nodeWith(() => 5, { port: freePort() });
  let addresses = [node.address, killed.address];
  await using lookupd = lookupdOf(() => addresses);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    await pageAt(admin, "/");
    addresses = [node.address];
    await killed[Symbol.asyncDispose]();

    await admin.nsqadmin.poller.refresh();
    await admin.nsqadmin.poller.refresh();

    assertMatch((await pageAt(admin, "/")).text, /One node is gone .*, with 5 messages waiting/);
  });
});

Deno.test("A node that begins an answer and does not end it delays nobody", async () => {
  await using slow = new RawAnswerer('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"topics":[', {
    keeps: true,
  });
  await using node = nodeWith(() => 7);
  await using lookupd = lookupdOf(() => [slow.address, node.address]);
  const options = { lookupdHttpAddresses: [lookupd.address], httpClientRequestTimeoutMs: 600_000 };
  await withNsqadmin(options, async (admin) => {
    const page = await pageAt(admin, "/");

    assertStringIncludes(page.text, "nodes 1 of 2 topics 1 waiting in topics 7");
    assertStringIncludes(page.text, `nsqd ${slow.address} : is late, and not waited for`);
  }, { waits: IMPATIENT });
});

Deno.test("Rows of nodes that have not answered for too long are as they were, with how old that is, and in no sums", async () => {
  const topic = { topic_name: "u", depth: 5, channels: [{ channel_name: "c", depth: 6 }] };
  await using node = fakeNode(() => Response.json({ topics: [topic] }));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const { poller } = admin.nsqadmin;
    await poller.refresh();
    const all = [poller.find("u"), poller.find("u", "c")].filter((series) => series !== undefined);
    const silent = () => {
      for (const series of all) {
        series.addSilent(admin.nsqadmin.clock.monotonicMs() - 40_000);
        series.publish();
      }
    };

    silent();
    const overview = await pageAt(admin, "/");
    const channels = await pageAt(admin, "/channels");
    assertMatch(overview.rows[1][0], /^u no consumers as it was 4\ds ago$/);
    assertEquals([overview.rows[1][1], overview.rows[1].at(-1)], ["5", "0 of 1"]);
    assertStringIncludes(overview.text, "topics 1 waiting in topics 0");
    assertMatch(channels.rows[1][0], /^u \/ c no consumers as it was 4\ds ago$/);
    assertEquals([channels.rows[1][1], channels.rows[1].at(-1)], ["6", "0 of 1"]);
    for (const { html } of [overview, channels]) assertStringIncludes(html, '<tr class="old">');
    assertStringIncludes((await pageAt(admin, "/counter")).text, "Messages that channels have had 0");

    await poller.refresh();
    assertEquals((await pageAt(admin, "/")).rows[1][0], "u no consumers");
  });
});

for (
  const [what, answer] of [
    ["no JSON", "<html>"],
    ["other fields", JSON.stringify({ topics: [{ topic_name: "t", depth: "many" }] })],
    ["no object", "[]"],
    ["half of it", '{"topics":[{"topic_name":"liar","depth":7},'],
    ["lists without end", '{"topics":'.padEnd(100_000, "[")],
  ] as const
) {
  Deno.test(`A node that answers with ${what} takes nothing from the others`, async () => {
    await using liar = new FakeHttp(() => new Response(answer));
    await using node = nodeWith(() => 3);
    await using lookupd = lookupdOf(() => [liar.address, node.address, deadAddress()]);
    await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
      const page = await pageAt(admin, "/");

      assertStringIncludes(page.text, "nodes 1 of 3 topics 1 waiting in topics 3");
      assertStringIncludes(page.text, "2 daemons have not answered");
    });
  });
}

Deno.test("A node that says too many names is cut short, and the page says so", async () => {
  const topics = Array.from({ length: 50_010 }, (_, i) => ({ topic_name: `t${i}` }));
  await using liar = new FakeHttp(() => Response.json({ topics }));
  await using lookupd = lookupdOf(() => [liar.address]);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    await eventually("it is read, which may take longer than a round waits", async () => {
      const { text } = await pageAt(admin, "/");
      return text.includes("There are too many topics and channels: 10, counted");
    });
  });
});

Deno.test("Graphs and lines show what was, with figures to read", async () => {
  let depth = 4;
  await using node = nodeWith(() => depth);
  await using lookupd = lookupdOf(() => [node.address]);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address], history: true }, async (admin) => {
    const { poller } = admin.nsqadmin;
    await poller.look();
    depth = 8;
    await poller.refresh();

    const overview = await pageAt(admin, "/");
    const topic = await pageAt(admin, "/topics/t");
    const hour = await pageAt(admin, "/topics/t?span=1h");

    assertStringIncludes(overview.html, '<path d="M0 12L120 1"></path>');
    assertStringIncludes(topic.html, '<path d="M0 60L600 1"></path>');
    assertStringIncludes(topic.text, "Waiting, with what waits in channels: 8 at most 8");
    assertEquals(topic.rows.filter(([time]) => /^\d{4}-/.test(time)).slice(0, 2).map(([, value]) => value), [
      "8",
      "4",
    ]);
    assertStringIncludes(hour.text, "Waiting, with what waits in channels: nothing is known yet of an hour");
    assert(topic.links.includes("?span=24h"));
  });
});

Deno.test("The channels' page shows where messages wait, and when a channel is empty if all goes on", async () => {
  let round = 0;
  await using node = new FakeHttp(() => {
    round++;
    const falling = {
      channel_name: "falling",
      depth: 9_000_000 - round * 1000,
      message_count: 9_000_000,
      client_count: 1,
    };
    const left = { channel_name: "left", depth: 5, message_count: 5, paused: true };
    return Response.json({
      topics: [{ topic_name: "t", channels: [falling, left, { channel_name: "idle" }] }],
    });
  });
  await using lookupd = lookupdOf(() => [node.address]);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    await admin.nsqadmin.poller.look();
    await admin.nsqadmin.poller.refresh();

    const { rows } = await pageAt(admin, "/channels?sort=-depth");
    const emptyIn = rows[0].indexOf("Empty in");

    assertEquals(rows.slice(1).map(([name, depth]) => [name, depth]), [
      ["t / falling", "8,998,000"],
      ["t / left paused no consumers", "5"],
      ["t / idle", "0"],
    ]);
    assertMatch(rows[1][emptyIn], /^[\dhms]+$/);
    assertEquals([rows[2][emptyIn], rows[3][emptyIn]], ["never", ""]);
    assertEquals((await pageAt(admin, "/channels?sort=drain")).rows.slice(1).map(([name]) => name), [
      "t / idle",
      "t / falling",
      "t / left paused no consumers",
    ]);
    assertEquals((await pageAt(admin, "/channels?filter=LEFT")).rows.length, 2);
  });
});
