import { assert, assertEquals } from "@std/assert";
import { fakeNode, pageAt } from "../support/console_pages.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const LOOKUPD = { lookupdHttpAddresses: ["127.0.0.1:1"] };

/** Graphite, with this as the first value of what it is asked for. */
function graphite(...values: unknown[]): FakeHttp {
  return new FakeHttp(() =>
    Response.json([{ target: "x", datapoints: values.map((value, i) => [value, i]) }])
  );
}

for (const [value, rate] of [[120, "4.00"], [0, "0.00"], [-1, "N/A"], [1, "0.03"]] as const) {
  Deno.test(`GET /api/graphite makes a rate of ${rate} of ${value}`, async () => {
    await using server = graphite(value, 3);
    const options = { ...LOOKUPD, graphiteUrl: `http://${server.address}`, statsdIntervalMs: 30_000 };
    await withNsqadmin(options, async (admin) => {
      assertEquals(await admin.json("/api/graphite?metric=rate&target=sumSeries(a.b)"), { rate });
    });

    assertEquals(server.asked, [
      "GET /render?format=json&from=-60sec&target=sumSeries%28a.b%29&until=-30sec",
    ]);
  });
}

for (
  const [query, status, message] of [
    ["", 400, "INVALID_ARG_METRIC"],
    ["?metric=other&target=x", 400, "INVALID_ARG_METRIC"],
    ["?metric=rate", 400, "INVALID_ARG_TARGET"],
    ["?a;b", 400, "INVALID_REQUEST"],
    ["?metric=rate&target=x", 500, "INTERNAL_ERROR"],
  ] as const
) {
  Deno.test(`GET /api/graphite${query} is refused with ${message} where graphite does not answer`, async () => {
    await withNsqadmin({ ...LOOKUPD, graphiteUrl: `http://${deadAddress()}` }, async (admin) => {
      const answer = await admin.ask("GET", `/api/graphite${query}`);

      assertEquals([answer.status, answer.json], [status, { message }]);
    });
  });
}

for (const answer of ["[]", "{}", "null", '[{"datapoints":[]}]', '[{"datapoints":[[null,1]]}]', "nope"]) {
  Deno.test(`GET /api/graphite has no rate when graphite answers ${answer}`, async () => {
    await using server = new FakeHttp(() => new Response(answer));
    await withNsqadmin({ ...LOOKUPD, graphiteUrl: `http://${server.address}` }, async (admin) => {
      assertEquals((await admin.ask("GET", "/api/graphite?metric=rate&target=x")).status, 500);
    });
  });
}

Deno.test("GET /render is passed on to graphite, with its credentials, where it is proxied", async () => {
  const png = Uint8Array.of(0x89, 0x50, 0xff, 0);
  await using server = new FakeHttp(() => {
    return new Response(png, {
      headers: { "content-type": "image/png", "cache-control": "max-age=60", "x-own": "a" },
    });
  });
  const graphiteUrl = `http://me:secret@${server.address}/ignored`;
  const lines = await withNsqadmin({ ...LOOKUPD, graphiteUrl, proxyGraphite: true }, async (admin) => {
    const response = await fetch(`${admin.url}/render?target=a&width=10`, {
      headers: { authorization: "Basic eDp5" },
    });

    assertEquals([response.status, await response.bytes()], [200, png]);
    assertEquals(
      ["content-type", "cache-control", "x-own"].map((name) => response.headers.get(name)),
      ["image/png", "max-age=60", null],
    );
  });

  assertEquals(server.asked, ["GET /render?target=a&width=10"]);
  const [{ headers }] = server.requests;
  assertEquals([headers.get("authorization"), headers.get("x-forwarded-for")], [
    `Basic ${btoa("me:secret")}`,
    "127.0.0.1",
  ]);
  assert(lines.every((line) => !line.includes("secret")));
});

Deno.test("Pages of a topic, channel and node link to what graphite has of them, where it is proxied", async () => {
  await using server = new FakeHttp(() => new Response("png"));
  await using node = fakeNode(() => Response.json({ topics: [{ topic_name: "t" }] }));
  const options = {
    nsqdHttpAddresses: [node.address],
    graphiteUrl: `http://${server.address}`,
    proxyGraphite: true,
    basePath: "/sub",
    statsdIntervalMs: 10_000,
    statsdPrefix: "nsq.%s.",
    statsdCounterFormat: "",
  };
  await withNsqadmin(options, async (admin) => {
    const targetsOf = async (path: string) => {
      const { links } = await pageAt(admin, path);
      return links.filter((link) => link.startsWith("/sub/render?")).map((link) =>
        new URL(link, admin.url).searchParams.get("target")
      );
    };

    assertEquals(await targetsOf("/sub/topics/t"), [
      'summarize(sumSeries(stats.gauges.nsq.*.topic.t.depth),"10sec","avg")',
      'summarize(scale(sumSeries(nsq.*.topic.t.message_count),0.1),"10sec","avg")',
    ]);
    const host = node.address.replace(/[.:]/g, "_");
    assertEquals(
      (await targetsOf(`/sub/nodes/${node.address}`))[2],
      `summarize(scale(nsq.${host}.mem.gc_runs,0.1),"10sec","avg")`,
    );
    const { links } = await pageAt(admin, "/sub/topics/t");
    const link = links.find((each) => each.startsWith("/sub/render?")) ?? "";
    assertEquals((await admin.ask("GET", link)).text, "png");
    assertEquals(server.asked, [`GET ${link.slice("/sub".length)}`]);
  });
});

Deno.test("Names of strangers are nothing but a part of graphite's", async () => {
  await using node = fakeNode(() =>
    Response.json({ topics: [{ topic_name: "t", channels: [{ channel_name: "a b),f(c#ephemeral" }] }] })
  );
  const options = {
    nsqdHttpAddresses: [node.address],
    graphiteUrl: "http://127.0.0.1:1",
    proxyGraphite: true,
  };
  await withNsqadmin(options, async (admin) => {
    const { links } = await pageAt(admin, `/topics/t/${encodeURIComponent("a b),f(c#ephemeral")}`);
    const [first] = links.filter((link) => link.startsWith("/render?"));

    assertEquals(
      new URL(first, admin.url).searchParams.get("target"),
      'summarize(sumSeries(stats.gauges.nsq.*.topic.t.channel.a_bfcephemeral.depth),"60sec","avg")',
    );
  });
  await withNsqadmin({ ...options, proxyGraphite: false }, async (admin) => {
    const { links } = await pageAt(admin, "/topics/t");
    assertEquals(links.filter((link) => link.includes("render")), []);
  });
});

Deno.test("GET /render is not found where graphite is not proxied, and 502 where it does not answer", async () => {
  const graphiteUrl = `http://${deadAddress()}`;
  await withNsqadmin({ ...LOOKUPD, graphiteUrl }, async (admin) => {
    assertEquals((await admin.ask("GET", "/render?target=a")).status, 404);
  });
  await withNsqadmin({ ...LOOKUPD, graphiteUrl, proxyGraphite: true }, async (admin) => {
    assertEquals((await admin.ask("GET", "/render?target=a")).status, 502);
  });
});
