import { assertEquals, assertMatch } from "@std/assert";
import { FakeHttp } from "../support/fake_http.ts";
import { IMPATIENT, type NsqadminInProcess, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const STATS = { topics: [{ topic_name: "t", channels: [{ channel_name: "c" }, { channel_name: "d" }] }] };

/** Samples of `/metrics` whose names match, in order. */
async function samples(admin: NsqadminInProcess, names: RegExp, basePath = ""): Promise<string[]> {
  const { status, headers, text } = await admin.ask("GET", `${basePath}/metrics`);
  assertEquals([status, headers.get("content-type")], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  return text.split("\n").filter((line) => names.test(line));
}

Deno.test("GET /metrics tells how the nodes are, and what is known of them", async () => {
  await using up = new FakeHttp(() => Response.json(STATS));
  await using hung = new FakeHttp(() => new Promise(() => {}));
  const gone = deadAddress();
  let told = [up.address, hung.address, gone];
  await using lookupd = new FakeHttp(() => {
    const producers = told.map((address) => {
      const [broadcast_address, port] = address.split(":");
      const ports = { http_port: Number(port), tcp_port: Number(port) };
      return { hostname: address, broadcast_address, ...ports, version: "1.3.0" };
    });
    return Response.json({ producers });
  });
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { poller } = admin.nsqadmin;
    await poller.refresh();
    assertEquals(await samples(admin, /^nsqadmin_nodes/), [
      'nsqadmin_nodes{state="new"} 0',
      'nsqadmin_nodes{state="up"} 1',
      'nsqadmin_nodes{state="late"} 1',
      'nsqadmin_nodes{state="failing"} 1',
      'nsqadmin_nodes{state="gone"} 0',
    ]);

    told = [up.address, hung.address];
    poller.rediscover();
    await poller.refresh();

    assertEquals(await samples(admin, /^nsqadmin_(nodes|series|poll_rounds|refused)/), [
      "nsqadmin_poll_rounds_total 2",
      'nsqadmin_nodes{state="new"} 0',
      'nsqadmin_nodes{state="up"} 1',
      'nsqadmin_nodes{state="late"} 1',
      'nsqadmin_nodes{state="failing"} 0',
      'nsqadmin_nodes{state="gone"} 1',
      "nsqadmin_series 3",
      "nsqadmin_series_left_out 0",
      'nsqadmin_refused_connections_total{protocol="http"} 0',
    ]);
  }, { waits: IMPATIENT });
});

Deno.test("GET /metrics tells how long the last round took, as soon as there was one", async () => {
  await using node = new FakeHttp(() => Response.json(STATS));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    assertEquals(await samples(admin, /^nsqadmin_poll/), ["nsqadmin_poll_rounds_total 0"]);

    await admin.nsqadmin.poller.refresh();

    const [rounds, seconds, ...others] = await samples(admin, /^nsqadmin_poll/);
    assertEquals([rounds, others], ["nsqadmin_poll_rounds_total 1", []]);
    assertMatch(seconds, /^nsqadmin_poll_round_seconds \d[\d.e-]*$/);
    assertEquals(Number(seconds.split(" ")[1]), (admin.nsqadmin.poller.lastRoundMs ?? NaN) / 1000);
  });
});

Deno.test("GET /metrics asks no daemon anything", async () => {
  await using node = new FakeHttp(() => Response.json(STATS));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    assertEquals(await samples(admin, /^nsqadmin_poll_rounds/), ["nsqadmin_poll_rounds_total 0"]);
    assertEquals(node.asked, []);
  });
});

Deno.test("GET /metrics counts requests by route, and tells of the process and its loop", async () => {
  await withNsqadmin({ nsqdHttpAddresses: [deadAddress()] }, async (admin) => {
    for (const path of ["/ping", "/ping", "/made/up/by/somebody", "/static/none.js"]) {
      await admin.ask("GET", path);
    }

    assertEquals(await samples(admin, /^nsqadmin_http_requests_total/), [
      'nsqadmin_http_requests_total{method="GET",route="/ping",code="200"} 2',
      'nsqadmin_http_requests_total{method="other",route="other",code="404"} 1',
      'nsqadmin_http_requests_total{method="GET",route="/static/:asset",code="404"} 1',
    ]);
    const names =
      (await samples(admin, /^(process_cpu|nsqadmin_heap_|nsqadmin_event_loop_lag_seconds_count)/))
        .map((line) => line.split(" ")[0]);
    assertEquals(names, [
      "process_cpu_seconds_total",
      "nsqadmin_heap_used_bytes",
      "nsqadmin_heap_bytes",
      "nsqadmin_event_loop_lag_seconds_count",
    ]);
  });
});

Deno.test("GET /metrics is in OpenMetrics for whoever prefers it", async () => {
  await withNsqadmin({ nsqdHttpAddresses: [deadAddress()] }, async (admin) => {
    const headers = { accept: "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5" };

    const answer = await admin.ask("GET", "/metrics", { headers });

    assertEquals(
      answer.headers.get("content-type"),
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    assertMatch(answer.text, /^# TYPE nsqadmin_poll_rounds counter$/m);
    assertMatch(answer.text, /\n# EOF\n$/);
  });
});

Deno.test("/metrics and the pages of health are below the base path, and there only", async () => {
  await withNsqadmin({ nsqdHttpAddresses: [deadAddress()], basePath: "/metrics" }, async (admin) => {
    assertEquals((await samples(admin, /^nsqadmin_build_info/, "/metrics")).length, 1);
    const statuses = [];
    for (const path of ["/metrics/health/live", "/metrics/health/ready", "/health/live", "/health/ready"]) {
      statuses.push((await admin.ask("GET", path)).status);
    }
    assertEquals(statuses, [200, 200, 404, 404]);
    // Where the base path is called like that, the overview is there.
    assertEquals((await admin.ask("GET", "/metrics")).headers.get("content-type"), "text/html");
  });
});
