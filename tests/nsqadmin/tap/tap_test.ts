import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SHOWN_BODY_SIZE } from "../../../src/cluster/messages.ts";
import { TAP_CHANNEL } from "../../../src/nsqadmin/tap/tap.ts";
import { GATHERED_MAX, TAPS_MAX } from "../../../src/nsqadmin/tap/taps.ts";
import type { UserFile } from "../../../src/nsqadmin/login/user_file.ts";
import { fakeNode, pageAt, press } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { logIn, usersOf } from "../../support/login.ts";
import {
  type ClusterInProcess,
  type NsqadminInProcess,
  post,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import type { NsqdInProcess } from "../../support/nsqd_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

const EVENTS = "/tap/t/events";

/** What a page is told. */
class TapReader implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open(
    admin: NsqadminInProcess,
    { target = EVENTS, headers: sent = {} }: { target?: string; headers?: Record<string, string> } = {},
  ): Promise<TapReader> {
    const { status, headers, body } = await fetch(admin.url + target, { headers: sent });
    assertEquals([status, headers.get("content-type"), body !== null], [200, "text/event-stream", true]);
    return new TapReader(body ?? new ReadableStream());
  }

  /** The next event but for comments. */
  async next(): Promise<{ readonly event: string; readonly data: string } | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await this.#reader.read();
        if (done) return undefined;
        this.#text += value;
        continue;
      }
      const lines = this.#text.slice(0, end).split("\n");
      this.#text = this.#text.slice(end + 2);
      const field = (name: string) =>
        lines.flatMap((line) => line.startsWith(`${name}: `) ? line.slice(name.length + 2) : []).join("\n");
      if (field("event") !== "") return { event: field("event"), data: field("data") };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }
}

/** The topic's channels, with what waits in each. */
async function channelsOf(nsqd: NsqdInProcess): Promise<(readonly [name: string, depth: number])[]> {
  const { channels = [] } = await statsOf(nsqd, "t") ?? {};
  return channels.map(({ channel_name, depth }) => [channel_name, depth]);
}

async function tapped(nsqd: NsqdInProcess): Promise<string> {
  return await eventually("it is tapped", async () => {
    return (await channelsOf(nsqd)).map(([name]) => name).find((name) => name.startsWith(TAP_CHANNEL));
  });
}

async function untapped(nsqd: NsqdInProcess): Promise<void> {
  await eventually("its channel is gone", async () => {
    return !(await channelsOf(nsqd)).some(([name]) => name.startsWith(TAP_CHANNEL));
  });
}

function tapTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({ nodes: 2 }, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

tapTest(
  "A tap shows messages as they come, of all nodes, and takes nothing away",
  async ({ admin, nsqds }) => {
    const [nsqd, other] = nsqds;
    await publish(nsqd, "t", "before");
    {
      await using tap = await TapReader.open(admin);
      assertMatch(await tapped(nsqd), /^nsqadmin_tap_[0-9a-f]{8}#ephemeral$/);
      await tapped(other);
      await publish(nsqd, "t", "<b>one\ntwo");
      const first = await tap.next();
      await publish(other, "t", "three");
      const second = await tap.next();

      const cells = (data: string | undefined) => new HtmlPage(data ?? "").rows[0];
      assertEquals(first?.event, "message");
      assertStringIncludes(first?.data ?? "", "&lt;b&gt;one\ntwo");
      assertEquals(cells(first?.data).slice(2), [nsqd.tcpAddress, "1", "10", "<b>one two"]);
      assertEquals(cells(second?.data).slice(2), [other.tcpAddress, "1", "5", "three"]);
    }
    await untapped(nsqd);
    await untapped(other);
    assertEquals([await channelsOf(nsqd), await channelsOf(other)], [[["c", 2]], [["c", 1]]]);
  },
);

tapTest(
  "A tap is of one node, if wanted, and bodies are cut and shown as wanted",
  async ({ admin, nsqds }) => {
    const [nsqd, other] = nsqds;
    const node = encodeURIComponent(`127.0.0.1:${nsqd.nsqd.httpPort}`);

    await using tap = await TapReader.open(admin, { target: `${EVENTS}?node=${node}&as=hex&ready=1` });
    await tapped(nsqd);
    await publish(other, "t", "other");
    await publish(nsqd, "t", "x".repeat(SHOWN_BODY_SIZE + 1));
    const { data = "" } = await tap.next() ?? {};

    assertStringIncludes(data, `>${Array(SHOWN_BODY_SIZE).fill("78").join(" ")}<`);
    assertStringIncludes(data, `only the first ${SHOWN_BODY_SIZE} bytes are shown`);
    assertEquals(await channelsOf(other), [["c", 1]]);
  },
);

tapTest(
  "Without scripts a tap is gathered for some seconds, or until there is a page of messages",
  async (cluster) => {
    const { admin, nsqds: [nsqd] } = cluster;
    const page = await pageAt(admin, "/tap/t");
    assert((await pageAt(admin, "/topics/t")).links.includes("/tap/t"));
    assertStringIncludes(page.text, "This is a copy; nothing is taken away");

    const gathering = press(admin, "/tap/t", { page, button: "Gather", fields: { seconds: "10" } });
    await tapped(nsqd);
    await post(
      `${nsqd.httpUrl}/mpub?topic=t`,
      Array.from({ length: GATHERED_MAX + 10 }, (_, i) => `m${i}`).join("\n"),
    );
    const { status, page: gathered } = await gathering;

    assertEquals(status, 200);
    const bodies = gathered.rows.slice(1).map((cells) => cells.at(-1));
    assertEquals(bodies, Array.from({ length: GATHERED_MAX }, (_, i) => `m${i}`));
    await untapped(nsqd);
    assertEquals(await channelsOf(nsqd), [["c", GATHERED_MAX + 10]]);
    const none = await admin.ask("POST", "/tap/t", { body: "seconds=1" });
    assertStringIncludes(new HtmlPage(none.text).text, "None came in 1 s.");
  },
);

Deno.test("A topic without channels is not tapped: what waits in it would be gone", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t");
    await publish(nsqd, "t", "one");

    await using tap = await TapReader.open(admin);
    const { event, data } = await tap.next() ?? {};
    const gathered = await admin.ask("POST", "/tap/t", { body: "" });

    assertEquals([event, await tap.next()], ["over", undefined]);
    assertStringIncludes(data ?? "", "the topic has no other channel");
    assertStringIncludes(gathered.text, "the topic has no other channel");
    assertEquals([await channelsOf(nsqd), (await statsOf(nsqd, "t"))?.depth], [[], 1]);
  });
});

tapTest("A tap ends when it is left alone", async ({ admin, nsqds }) => {
  await using tap = await TapReader.open(admin);
  for (const nsqd of nsqds) await tapped(nsqd);

  for (const { httpUrl } of nsqds) await post(`${httpUrl}/channel/delete?topic=t&channel=c`);

  assertEquals((await tap.next())?.event, "over");
  for (const nsqd of nsqds) assertEquals(await channelsOf(nsqd), []);
});

tapTest("There are so many taps at a time, which end with nsqadmin", async ({ admin, nsqds: [nsqd] }) => {
  const taps = await Promise.all(Array.from({ length: TAPS_MAX }, () => TapReader.open(admin)));
  await tapped(nsqd);

  const refused = await admin.ask("GET", EVENTS);
  const page = await admin.ask("POST", "/tap/t", { body: "" });
  await taps[0][Symbol.asyncDispose]();
  await eventually("there is room", async () => {
    const { status, body } = await fetch(admin.url + EVENTS);
    await body?.cancel();
    return status === 200;
  });
  await admin.nsqadmin.stop();

  assertEquals([refused.status, refused.json], [503, { message: "TOO_MANY_TAPS" }]);
  assertEquals(page.status, 503);
  for (const tap of taps.slice(1)) assertEquals(await tap.next(), undefined);
  await untapped(nsqd);
});

/** An nsqadmin of a node that has a topic and a channel, and cannot be reached over TCP, at that address. */
async function withUnreachable(
  test: (admin: NsqadminInProcess, tcpAddress: string) => Promise<void>,
  users?: UserFile,
): Promise<void> {
  const tcpAddress = deadAddress();
  const [host, port] = tcpAddress.split(":");
  const topics = [{ topic_name: "t", channels: [{ channel_name: "c" }] }];
  await using nsqd = fakeNode(() => Response.json({ topics }));
  await using lookupd = new FakeHttp(() => {
    const http_port = Number(nsqd.address.split(":")[1]);
    return Response.json({ producers: [{ broadcast_address: host, tcp_port: Number(port), http_port }] });
  });
  const options = { lookupdHttpAddresses: [lookupd.address] };
  await withNsqadmin(options, (admin) => test(admin, tcpAddress), { users });
}

Deno.test("A node that cannot be reached over TCP is told of", async () => {
  await withUnreachable(async (admin, tcpAddress) => {
    await using tap = await TapReader.open(admin);

    const { event, data } = await tap.next() ?? {};

    assertEquals(event, "problem");
    assertStringIncludes(data ?? "", `${tcpAddress}: `);
  });
});

Deno.test("A tap ends when its user has logged out", async () => {
  await withUnreachable(async (admin) => {
    const headers = await logIn(admin, "petra");
    await using tap = await TapReader.open(admin, { headers });
    assertEquals((await tap.next())?.event, "problem");

    await admin.ask("POST", "/logout", { headers });

    let last = await tap.next();
    while (last?.event === "problem") last = await tap.next();
    assertEquals(last, undefined);
  }, usersOf({ petra: "peek" }));
});

Deno.test("Who may not read messages taps nothing, and neither does a page of another site", async () => {
  await withCluster({ nsqadmin: { adminUsers: ["root"] } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c");
    const root = { "X-Forwarded-User": "root" };

    const statuses = [
      (await admin.ask("GET", "/tap/t")).status,
      (await admin.ask("GET", EVENTS)).status,
      (await admin.ask("POST", "/tap/t", { body: "" })).status,
      (await admin.ask("GET", EVENTS, { headers: { ...root, "Sec-Fetch-Site": "cross-site" } })).status,
      (await admin.ask("GET", `${EVENTS}?ready=51`, { headers: root })).status,
      (await admin.ask("POST", "/tap/t", { body: "seconds=11", headers: root })).status,
    ];

    assertEquals(statuses, [403, 403, 403, 403, 400, 400]);
    assertEquals((await pageAt(admin, "/topics/t")).links.includes("/tap/t"), false);
    assertEquals(await channelsOf(nsqd), [["c", 0]]);
  });
});
