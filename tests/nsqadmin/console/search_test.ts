import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { QUERY_LENGTH_MAX, RESULTS_MAX } from "../../../src/nsqadmin/console/search.tsx";
import { fakeNode, pageAt } from "../../support/console_pages.ts";
import { withNsqadmin } from "../../support/nsqadmin_in_process.ts";

Deno.test("The search finds topics, channels, nodes and pages, as a page and as JSON", async () => {
  const topics = [
    { topic_name: "orders", channels: [{ channel_name: "archive#ephemeral" }] },
    { topic_name: "lookups", channels: [] },
  ];
  await using node = fakeNode(() => Response.json({ topics }));
  await withNsqadmin({ nsqdHttpAddresses: [node.address], basePath: "/sub" }, async (admin) => {
    assertEquals((await pageAt(admin, "/sub/search?q=ARCHIVE")).rows.slice(1), [
      ["orders/archive#ephemeral", "channel"],
    ]);
    const { rows } = await admin.json("/sub/search?q=look&format=json") as { rows: unknown };
    assertEquals(rows, [
      { kind: "page", name: "Lookup", path: "/sub/lookup" },
      { kind: "topic", name: "lookups", path: "/sub/topics/lookups" },
    ]);
    const found = await pageAt(admin, "/sub/search?q=127");
    assert(found.links.includes(`/sub/nodes/${encodeURIComponent(node.address)}`));
    const everything = await pageAt(admin, "/sub/search");
    assert(everything.links.includes("/sub/topics/orders/archive%23ephemeral"));
    assertStringIncludes((await pageAt(admin, "/sub/search?q=none")).text, "0 found");
  });
});

Deno.test("The search shows so many results, and says of how many", async () => {
  const topics = Array.from({ length: RESULTS_MAX + 1 }, (_, i) => ({ topic_name: `topic${i}` }));
  await using node = fakeNode(() => Response.json({ topics }));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const page = await pageAt(admin, "/search?q=topic");

    // One is the page of topics.
    assertStringIncludes(page.text, "the first 50 of 52 found");
    assertEquals(page.rows.length, 1 + RESULTS_MAX);
  });
});

Deno.test("Of what is searched for, so much counts", async () => {
  const name = "x".repeat(QUERY_LENGTH_MAX);
  await using node = fakeNode(() => Response.json({ topics: [{ topic_name: name }] }));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    for (const query of [name, `${name}y`]) {
      assertEquals((await pageAt(admin, `/search?q=${query}`)).rows.slice(1), [[name, "topic"]]);
    }
    assertEquals((await pageAt(admin, `/search?q=${name.slice(1)}y`)).rows.slice(1), [["There is none."]]);
  });
});
