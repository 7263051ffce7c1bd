import { assertEquals } from "@std/assert";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const READY = { ready: true, state: "running", reasons: [] };

Deno.test("GET /health/live and /health/ready say that it is there, without a line in the log", async () => {
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
    const before = admin.lines.length;

    const live = await admin.ask("GET", "/health/live");
    const ready = await admin.ask("GET", "/health/ready");

    assertEquals([live.status, live.text], [200, '{"live":true}']);
    assertEquals([ready.status, ready.json], [200, READY]);
    assertEquals(admin.lines.slice(before), []);
  });
});

Deno.test("An nsqadmin to which no daemon answers is ready", async () => {
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    assertEquals((await admin.ask("GET", "/api/nodes")).status, 502);

    const { status, json } = await admin.ask("GET", "/health/ready");

    assertEquals([status, json], [200, READY]);
  });
});

Deno.test("An nsqadmin that is being stopped is not ready", async () => {
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async ({ nsqadmin }) => {
    const stopped = nsqadmin.stop();

    assertEquals(nsqadmin.readiness, { ready: false, state: "stopping", reasons: ["stopping"] });
    await stopped;
  });
});
