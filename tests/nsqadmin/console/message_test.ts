import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { WHOLE_BODY_SIZE } from "../../../src/cluster/messages.ts";
import { pageAt } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { HtmlPage } from "../../support/html_page.ts";
import {
  type ClusterInProcess,
  type NsqadminInProcess,
  post,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";

const LIST = "/topics/t/c/messages";

/** The address of the first message's page; a list may be empty for want of time, and lead on. */
async function messagePath(admin: NsqadminInProcess): Promise<string> {
  let link: string | undefined;
  await eventually("a message is listed", async () => {
    link = (await pageAt(admin, LIST)).links.find((each) => each.startsWith(`${LIST}/`));
    return link !== undefined;
  });
  return link ?? "";
}

/** A test with one node that has a topic `t` with a channel `c`. */
function messageTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({}, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

messageTest(
  "A message has a page of its own, which shows it as text, JSON and hex",
  async ({ admin, nsqds: [nsqd] }) => {
    await publish(nsqd, "t", '{"id":12345678901234567890}');
    const path = await messagePath(admin);

    const page = await pageAt(admin, path);

    assertEquals(page.all("code")[0], '{"id":12345678901234567890}');
    assertStringIncludes(page.text, "State waiting Attempts 0 Published");
    assertStringIncludes(
      (await pageAt(admin, `${path}&as=json`)).html,
      "{\n  &#34;id&#34;: 12345678901234567890\n}",
    );
    assertStringIncludes((await pageAt(admin, `${path}&as=hex`)).text, "7b 22 69 64");
  },
);

messageTest(
  "A message's page offers it to be published again, as it is",
  async ({ admin, nsqds: [nsqd] }) => {
    await publish(nsqd, "t", "\n</textarea><b>");

    const page = await pageAt(admin, await messagePath(admin));

    assertEquals(
      page.forms.find(({ buttons }) => buttons.some(({ value }) => value === "publish"))?.action,
      "/topics/t",
    );
    assertStringIncludes(page.html, ">\n\n&lt;/textarea&gt;&lt;b&gt;</textarea>");
  },
);

messageTest(
  "Of a large message the beginning is shown, and it is not published again",
  async ({ admin, nsqds: [nsqd] }) => {
    await publish(nsqd, "t", "x".repeat(WHOLE_BODY_SIZE + 1));

    const page = await pageAt(admin, await messagePath(admin));

    assertStringIncludes(page.text, `only the first ${WHOLE_BODY_SIZE} bytes are shown`);
    assertEquals(page.all("code")[0].length, WHOLE_BODY_SIZE);
    assert(!page.html.includes("<textarea"));
  },
);

messageTest(
  "A deferred message is delivered now, or canceled when that is confirmed",
  async ({ admin, nsqds: [nsqd] }) => {
    for (const body of ["one", "two"]) await post(`${nsqd.httpUrl}/pub?topic=t&defer=60000`, body);
    const press = async (page: HtmlPage, button: string) => {
      const { body } = page.button(button);
      return await admin.ask("POST", "/topics/t/c", { body, headers: { Origin: admin.url } });
    };

    const first = await pageAt(admin, await messagePath(admin));
    assertEquals((await press(first, "Deliver now")).status, 303);
    assertEquals((await statsOf(nsqd, "t"))?.channels[0].depth, 1);
    const deferred = await pageAt(admin, `${LIST}?state=deferred`);
    const asked = new HtmlPage((await press(deferred, "Cancel…")).text);
    assertStringIncludes(asked.text, "unless it is due by then");
    const done = await press(asked, "Cancel message");

    assertStringIncludes(done.headers.get("location") ?? "", "done=cancel-message");
    assertEquals((await pageAt(admin, `${LIST}?state=deferred`)).rows[1], ["There is none."]);
    // It is gone: to cancel it again is told to be too late.
    assertStringIncludes(
      (await press(asked, "Cancel message")).text,
      "it does not have the message any more",
    );
  },
);

messageTest(
  "A message that is not there, or not to be seen, is not shown",
  async ({ admin, nsqds: [nsqd], lookupd }) => {
    const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    for (
      const [path, reason] of [
        [`${LIST}/x?node=${node}`, "that is no id of a message"],
        [`${LIST}/0123456789abcdef?node=127.0.0.1:1`, "nobody tells of such a node"],
      ]
    ) {
      assertStringIncludes((await pageAt(admin, path)).text, reason);
    }
    await withNsqadmin(
      { lookupdHttpAddresses: [lookupd.httpAddress], adminUsers: ["root"] },
      async (guarded) => {
        assertEquals((await guarded.ask("GET", `${LIST}/0123456789abcdef?node=${node}`)).status, 403);
      },
    );
  },
);
