import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TOLD_MAX } from "../../../src/cluster/consumers.ts";
import { PAGE_ROWS } from "../../../src/nsqadmin/console/table.ts";
import { fakeNode, pageAt } from "../../support/console_pages.ts";
import type { FakeHttp } from "../../support/fake_http.ts";
import { identify } from "../../support/frames.ts";
import { publish, withCluster, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

/** An nsqd that has a channel with these clients. */
function nsqdWith(clients: readonly unknown[]): FakeHttp {
  const topics = [{ topic_name: "t", channels: [{ channel_name: "c", clients }] }];
  return fakeNode(() => Response.json({ topics }));
}

Deno.test("The page of consumers names few of very many identities", async () => {
  const clients = Array.from(
    { length: TOLD_MAX + 1 },
    (_, i) => ({ client_id: "me", authed: true, auth_identity: `identity${i}.` }),
  );
  await using nsqd = nsqdWith(clients);
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const { text } = await pageAt(admin, "/consumers");

    assertStringIncludes(text, `identity${TOLD_MAX - 1}., others`);
    assertEquals(text.includes(`identity${TOLD_MAX}.`), false);
  });
});

Deno.test("The page of consumers has a row for a process, and marks where it is missing and that it is slow", async () => {
  await withCluster({ nodes: 2 }, async ({ admin, nsqds: [nsqd, other], topic }) => {
    await topic("t", "c");
    const me = identify({ client_id: "<me>", hostname: "host.example", user_agent: "tester/1" });
    using client = await nsqd.connect();
    await client.ask(me);
    await client.ask("SUB t c\n");
    await client.send("RDY 1\n");
    await publish(nsqd, "t", "body");
    await client.frame();

    const page = await pageAt(admin, "/consumers");
    using second = await other.connect();
    await second.ask(me);
    await second.ask("SUB t c\n");
    const after = await pageAt(admin, "/consumers");

    const [row] = page.rows.slice(1);
    assertEquals(row.slice(0, 4), ["host.example <me> slow", "tester/1", "V2", "t / c"]);
    assertMatch(row[4], /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    assertEquals(row.slice(5, 11), ["1", "1 of 2 not on all", "1", "1", "0", "0"]);
    assert(page.links.includes("/topics/t/c"));
    assertEquals(after.rows.slice(1).map((cells) => cells.slice(5, 11)), [[
      "2",
      "2 of 2",
      "1",
      "1",
      "0",
      "0",
    ]]);
  });
});

Deno.test("The page of consumers is filtered, sorted and cut into pages, and a file has all", async () => {
  const clients = Array.from({ length: PAGE_ROWS + 1 }, (_, i) => ({
    hostname: "h",
    client_id: `id${i}`,
    finish_count: i,
    // Later than there are dates.
    connect_ts: 1e300,
  }));
  await using nsqd = nsqdWith(clients);
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const last = await pageAt(admin, "/consumers?sort=-finished&page=2");
    const filtered = await pageAt(admin, "/consumers?filter=ID99");
    const { rows } = await admin.json("/consumers?format=json&sort=finished") as {
      rows: { client_id: string; nodes: number; slow: boolean }[];
    };

    assertEquals(last.rows.slice(1).map(([name]) => name), ["h id0"]);
    assertStringIncludes(last.text, "101 consumers");
    assertEquals(filtered.rows.slice(1).map(([name, , , , since]) => [name, since]), [
      ["h id99", "9999-12-31 23:59:59 UTC"],
    ]);
    assertEquals(rows.map(({ client_id }) => client_id), clients.map(({ client_id }) => client_id));
    assertEquals([rows[0].nodes, rows[0].slow], [1, false]);
  });
});

Deno.test("The page of consumers names the node that does not answer, and shows the others", async () => {
  const dead = deadAddress();
  await using nsqd = nsqdWith([{ hostname: "<b>", client_id: "me" }]);
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address, dead] }, async (admin) => {
    const page = await pageAt(admin, "/consumers");

    assertStringIncludes(page.text, `One daemon has not answered`);
    assertStringIncludes(page.text, `nsqd ${dead} :`);
    assertEquals(page.rows.slice(1).map(([name]) => name), ["<b> me"]);
  });
});
