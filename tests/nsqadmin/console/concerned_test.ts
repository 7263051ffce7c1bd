import { assertEquals, assertStringIncludes } from "@std/assert";
import { pageAt, press } from "../../support/console_pages.ts";
import {
  type ClusterInProcess,
  type NsqadminInProcess,
  post,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import { withNsqlookupd } from "../../support/nsqlookupd_in_process.ts";

/** A test with two nodes that one of two nsqlookupds knows; both have a topic `t`, and one of them its channel `c`. */
function concernedTest(
  name: string,
  test: (cluster: ClusterInProcess, admin: NsqadminInProcess) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await withCluster({ nodes: 2 }, async (cluster) => {
      await cluster.topic("t");
      await post(`${cluster.nsqds[0].httpUrl}/channel/create?topic=t&channel=c`);
      await withNsqlookupd({}, async (other) => {
        const lookupdHttpAddresses = [cluster.lookupd.httpAddress, other.httpAddress];
        await withNsqadmin({ lookupdHttpAddresses }, (admin) => test(cluster, admin));
      });
    });
  });
}

concernedTest("An nsqlookupd that does not know a topic has answered the pages of it", async (_, admin) => {
  for (const path of ["/topics/t", "/topics/t/c", "/topics/t/c/messages", "/tap/t", "/topics/never"]) {
    const { text } = await pageAt(admin, path);

    assertEquals([path, /not answered/.exec(text)?.[0]], [path, undefined]);
  }
});

concernedTest(
  "A channel is paused and deleted where it is, and nobody is missed who has none",
  async ({ nsqds }, admin) => {
    const page = await pageAt(admin, "/topics/t/c");
    const { location } = await press(admin, "/topics/t/c", { page, button: "Pause" });
    assertEquals(location, "/topics/t/c?done=pause");
    assertEquals((await statsOf(nsqds[0], "t"))?.channels.map(({ paused }) => paused), [true]);
    const asked = await press(admin, "/topics/t/c", { page, button: "Delete…" });
    const deleted = await press(admin, "/topics/t/c", { page: asked.page, button: "Delete" });

    assertEquals(deleted.location, "/topics/t?done=delete");
    const activity = await admin.json("/api/activity") as { activity: { outcome: string }[] };
    assertEquals(activity.activity.map(({ outcome }) => outcome), ["done", "done"]);
  },
);

concernedTest("A channel that nobody has cannot be paused, and the page says why", async (_, admin) => {
  const { status, text } = await admin.ask("POST", "/topics/t/never", { body: "action=pause" });

  assertEquals(status, 200);
  assertStringIncludes(text, "Pause: not done");
  assertStringIncludes(text, "CHANNEL_NOT_FOUND");
});

concernedTest("The API warns, as NSQ, of whoever has no such topic or channel", async (_, admin) => {
  const { json } = await admin.ask("POST", "/api/topics/t/c", { body: { action: "pause" } });

  assertEquals(json, {
    message: [
      'WARNING: got response 404 Not Found "{\\"message\\":\\"TOPIC_NOT_FOUND\\"}"',
      'got response 404 Not Found "{\\"message\\":\\"CHANNEL_NOT_FOUND\\"}"',
    ].join("\n"),
  });
});

concernedTest("Of many, each is paused where it is", async (_, admin) => {
  const { headers } = await admin.ask("POST", "/bulk", { body: "of=channels&action=pause&name=t%2Fc" });

  const { text } = await pageAt(admin, headers.get("location") ?? "");
  assertStringIncludes(text, "done 1 failed 0");
});
