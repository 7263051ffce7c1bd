import { assert, assertEquals } from "@std/assert";
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

Deno.test("GET /render is not found where graphite is not proxied, and 502 where it does not answer", async () => {
  const graphiteUrl = `http://${deadAddress()}`;
  await withNsqadmin({ ...LOOKUPD, graphiteUrl }, async (admin) => {
    assertEquals((await admin.ask("GET", "/render?target=a")).status, 404);
  });
  await withNsqadmin({ ...LOOKUPD, graphiteUrl, proxyGraphite: true }, async (admin) => {
    assertEquals((await admin.ask("GET", "/render?target=a")).status, 502);
  });
});
