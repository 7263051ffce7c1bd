import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SETTINGS_LENGTH_MAX } from "../../../src/nsqadmin/console/settings.ts";
import { fakeNode, pageAt, press } from "../../support/console_pages.ts";
import type { HtmlPage } from "../../support/html_page.ts";
import { type NsqadminInProcess, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import type { NsqadminOptions } from "../../../src/nsqadmin/options.ts";

/** A test of an nsqadmin with these options whose cluster has one topic. */
function settingsTest(
  name: string,
  test: (admin: NsqadminInProcess) => Promise<void>,
  options: Partial<NsqadminOptions> = {},
): void {
  Deno.test(name, async () => {
    const topics = [{ topic_name: "t", channels: [{ channel_name: "c" }] }];
    await using node = fakeNode(() => Response.json({ topics }));
    await withNsqadmin({ nsqdHttpAddresses: [node.address], ...options }, test);
  });
}

/** Keeps settings; the cookie that a browser sends then. */
async function kept(admin: NsqadminInProcess, body: string): Promise<string> {
  const { status, headers } = await admin.ask("POST", "/settings", { body });
  assertEquals([status, headers.get("location")], [303, "/settings?done=settings"]);
  return headers.get("set-cookie")?.split(";")[0] ?? "";
}

function headsOf(page: HtmlPage): readonly string[] {
  return page.rows[0];
}

settingsTest(
  "Settings are in a cookie: pages have the colours and the columns that are wanted",
  async (admin) => {
    const usual = await pageAt(admin, "/");
    const cookie = await kept(
      admin,
      "theme=dark&live=off&show=topics.depth&show=topics.nodes&show=channels.drain",
    );
    const headers = { Cookie: `other=1; ${cookie}` };

    const page = await pageAt(admin, "/", headers);
    assertEquals(headsOf(page), ["Topic", "Depth", "Nodes"]);
    assertEquals(page.rows[1], ["t", "0", "1"]);
    const ofPage = ({ html }: HtmlPage) =>
      [.../<html[^>]*>/.exec(html)?.[0].matchAll(/data-[^ >]*/g) ?? []].flat();
    assertEquals(ofPage(page), ['data-theme="dark"', 'data-events="/events"', 'data-live="off"']);
    assertEquals(headsOf(await pageAt(admin, "/channels", headers)), ["Topic and channel", "Empty in"]);
    assertEquals(headsOf(usual).length, 13);
    assertEquals(ofPage(usual), ['data-events="/events"']);
  },
);

settingsTest("The settings' page shows what is wanted, and takes it back", async (admin) => {
  const cookie = await kept(admin, "theme=light&live=on&show=topics.depth");
  const headers = { Cookie: cookie };
  const page = await pageAt(admin, "/settings?done=settings", headers);

  assertStringIncludes(page.text, "The pages are as you want them, in this browser.");
  const checked = [...page.html.matchAll(/value="([^"]*)" checked/g)].map(([, value]) => value);
  assertEquals(checked, ["light", "on", "topics.depth"]);
  const { action, body } = page.button("As usual");
  const answer = await admin.ask("POST", action ?? "", { body, headers });
  const usual = { Cookie: answer.headers.get("set-cookie")?.split(";")[0] ?? "" };
  assertEquals(headsOf(await pageAt(admin, "/", usual)), headsOf(await pageAt(admin, "/")));
});

settingsTest(
  "Columns of nodes and of consumers can be left out, and all of all tables at a time",
  async (admin) => {
    const headers = {
      Cookie: await kept(admin, "show=nodes.waiting&show=consumers.ready&show=consumers.nodes"),
    };
    assertEquals(headsOf(await pageAt(admin, "/nodes", headers)), ["Host", "Waiting"]);
    assertEquals(headsOf(await pageAt(admin, "/consumers", headers)), ["Host", "Nodes", "Ready", "Actions"]);

    const none = { Cookie: await kept(admin, "show=none") };
    assert(none.Cookie.length < SETTINGS_LENGTH_MAX);
    for (
      const [path, heads] of [["/", ["Topic"]], ["/channels", ["Topic and channel"]], ["/nodes", [
        "Host",
      ]]] as const
    ) {
      assertEquals(headsOf(await pageAt(admin, path, none)), heads);
    }
  },
);

settingsTest("What a cookie cannot say counts for nothing", async (admin) => {
  const usual = headsOf(await pageAt(admin, "/"));
  const hidden = "&hide=topics.depth";
  const cookie = (length: number) => `nsqadmin_settings=${`theme=%22%3E${hidden}`.padEnd(length, "x")}`;
  for (const Cookie of ["nsqadmin_settings=%zz", "nsqadmin_settings=", cookie(SETTINGS_LENGTH_MAX + 1)]) {
    assertEquals(headsOf(await pageAt(admin, "/", { Cookie })), usual);
  }
  const page = await pageAt(admin, "/", { Cookie: cookie(0) });
  assertEquals(headsOf(page), usual.filter((head) => head !== "Depth"));
  assert(!page.html.includes("data-theme"));
});

settingsTest("Settings are kept of what there is only, for the base path", async (admin) => {
  const body = "theme=pink%0d%0aX: y&show=topics.depth&hide=evil&show=evil";
  const { headers } = await admin.ask("POST", "/sub/settings", { body });

  const [pair, ...attributes] = (headers.get("set-cookie") ?? "").split("; ");
  assertEquals(attributes, ["Path=/sub", "Max-Age=31536000", "HttpOnly", "SameSite=Lax"]);
  assert(pair.startsWith("nsqadmin_settings=theme=system&live=on&hide=topics.channel-depth&"));
  assert(!pair.includes("evil"));
}, { basePath: "/sub" });

settingsTest("Whoever may change options sees them, without what may be a secret", async (admin) => {
  const page = await pageAt(admin, "/settings");

  const values = new Map(page.rows.map(([name, value]) => [name, value]));
  assertEquals(values.get("--alert-webhook"), '"http://***@hook.example/?key=***"');
  assertEquals(values.get("--poll-interval"), "10m0s");
  assertEquals(values.get("publish messages"), "may");
  assertStringIncludes(page.text, "Your role: admin. Whoever reaches this nsqadmin may do everything");
}, { alertWebhook: "http://me:pass@hook.example/?key=s3cret" });

settingsTest("Who may look only learns that, and sees no options", async (admin) => {
  const page = await pageAt(admin, "/settings", { "X-Forwarded-User": "bob" });

  assertStringIncludes(page.text, "You are bob. Your role: viewer.");
  assertEquals(new Set(page.rows.slice(1).map(([, may]) => may)), new Set(["may not"]));
  assert(!page.text.includes("--admin-user"));
  await press(admin, "/settings", { page, button: "Keep", headers: { "X-Forwarded-User": "bob" } });
}, { adminUsers: ["root"] });

settingsTest("Options are shown where /config is", async (admin) => {
  const page = await pageAt(admin, "/settings");

  assertStringIncludes(
    page.text,
    "They are shown to clients in the network of --allow-config-from-cidr only.",
  );
  assert(!page.text.includes("--poll-interval"));
}, { allowConfigFromCidr: "10.0.0.0/8" });
