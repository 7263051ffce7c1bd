import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { lookupdOf, nodeWith, pageAt, press } from "../../support/console_pages.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { type NsqadminInProcess, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

/** Asks everybody anew. */
async function refresh({ nsqadmin: { poller } }: NsqadminInProcess): Promise<void> {
  poller.rediscover();
  await poller.refresh();
}

Deno.test("The cluster's page shows how each nsqlookupd answers, and where they disagree", async () => {
  await using one = nodeWith(() => 1);
  await using other = nodeWith(() => 1);
  await using both = nodeWith(() => 1);
  await using first = lookupdOf(() => [one.address, both.address]);
  await using second = lookupdOf(() => [other.address, both.address]);
  const dead = deadAddress();
  const lookupdHttpAddresses = [first.address, second.address, dead];
  await withNsqadmin({ lookupdHttpAddresses }, async (admin) => {
    const page = await pageAt(admin, "/cluster");

    const [, ...rows] = page.rows.slice(0, 4);
    const nameOf = ({ address }: FakeHttp) => `host-${address.split(":")[1]} ${address}`;
    assertEquals(
      rows.map(([address, state, ms, ...rest]) => [address, state, /^[\d.]+$/.test(ms), ...rest]),
      [
        [first.address, "answers", true, "1.3.0", "2", nameOf(one), nameOf(other)],
        [second.address, "answers", true, "1.3.0", "2", nameOf(other), nameOf(one)],
        [dead, "does not answer", false, "", "0", "", ""],
      ],
    );
    const unreachable = page.rows.filter(([address]) => address === `nsqlookupd ${dead}`);
    assertEquals(unreachable.map(([, last, what]) => [last, what]), [[
      "never",
      `Get "http://${dead}/nodes": dial tcp ${dead}: connect: connection refused`,
    ]]);
    assertStringIncludes(unreachable[0][3], "Nobody listens there");
    assertStringIncludes(page.text, "nodes up 3 nodes late 0");
  });
});

Deno.test("An nsqlookupd that fails after it has answered keeps what it said, and when", async () => {
  let fails = false;
  await using node = nodeWith(() => 1);
  const info = { version: "1.2.1" };
  await using lookupd: FakeHttp = new FakeHttp(({ target }): Response => {
    if (fails) return new Response("no", { status: 500 });
    const [broadcast_address, port] = node.address.split(":");
    return Response.json(
      target === "/info"
        ? info
        : { producers: [{ broadcast_address, http_port: Number(port), tcp_port: 1 }] },
    );
  });
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    assertEquals((await pageAt(admin, "/cluster")).rows[1][3], "1.2.1");
    fails = true;
    await refresh(admin);

    const { rows: [, row] } = await pageAt(admin, "/cluster");

    assertMatch(row[1], /^does not answer it did \d+s ago$/);
    assertEquals(row.slice(3), ["1.2.1", "1", "", ""]);
  });
});

Deno.test("The cluster's page of a list of nsqds says that nobody tells of nodes", async () => {
  const dead = deadAddress();
  await withNsqadmin({ nsqdHttpAddresses: [dead] }, async (admin) => {
    const page = await pageAt(admin, "/cluster");

    assertStringIncludes(page.text, "Nobody: there is a list of 1 nsqds.");
    assertEquals(page.rows.filter(([name]) => name === `nsqd ${dead}`).length, 1);
  });
});

Deno.test("With gossip, the cluster's page shows the members that each nsqd sees, and how gossip is", async () => {
  const gossip = { health: "OK", node: "a", nodes: "2", agent_restarts: "0", members: "3", failed: "1" };
  await using member = nodeWith(() => 1);
  await using first: FakeHttp = new FakeHttp(({ target }): Response => {
    if (target.startsWith("/stats")) return Response.json({ topics: [], gossip });
    const producers = [first, member].map(({ address }) => {
      const [broadcast_address, port] = address.split(":");
      return { hostname: "h", broadcast_address, http_port: Number(port), tcp_port: Number(port) };
    });
    return Response.json({ producers, version: "1.3.0" });
  });
  await withNsqadmin({ gossipHttpAddresses: [first.address] }, async (admin) => {
    const page = await pageAt(admin, "/cluster");

    assertStringIncludes(page.text, "nsqds with gossip, and the members that each sees");
    const [, [address, state, , version, members, ...rest]] = page.rows;
    assertEquals([address, state, version, members, ...rest], [
      ...[first.address, "answers", "1.3.0", "2", "", ""],
      "OK: 2 nodes, 3 agents, of which 1 failed",
    ]);
    assertStringIncludes((await pageAt(admin, `/nodes/${first.address}`)).text, "gossip OK: 2 nodes");
  });
});

/** A test with an nsqadmin whose only node is gone, with 5 messages. */
function goneTest(
  name: string,
  test: (admin: NsqadminInProcess, address: string, setTold: (told: boolean) => void) => Promise<void>,
): void {
  Deno.test(name, async () => {
    let told = true;
    await using node = nodeWith(() => 5);
    await using lookupd = lookupdOf(() => told ? [node.address] : []);
    await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
      await admin.nsqadmin.poller.look();
      told = false;
      await refresh(admin);
      await test(admin, node.address, (is) => told = is);
    });
  });
}

goneTest(
  "A node that is gone is shown with what it had, and forgotten when that is confirmed",
  async (admin, address) => {
    const page = await pageAt(admin, "/cluster");
    const [row] = page.rows.filter(([, http]) => http === address);
    assertMatch(row[2], /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    assertEquals(row.slice(4), ["1", "5", "0", "Forget…"]);
    assertEquals(admin.nsqadmin.alerts.firing.map(({ subject }) => subject), [{ node: address }]);

    const path = `/nodes/${encodeURIComponent(address)}`;
    const asked = await press(admin, "/cluster", { page, button: "Forget…" });
    assertEquals([asked.status, asked.page.all("h1")], [200, [`Forget node ${address}?`]]);
    assertEquals(admin.nsqadmin.poller.node(address)?.state, "gone");
    const done = await press(admin, path, { page: asked.page, button: "Forget" });

    assertEquals([done.status, done.location], [
      303,
      `/cluster?done=forget&on=${encodeURIComponent(address)}`,
    ]);
    const after = await pageAt(admin, done.location ?? "");
    assertStringIncludes(after.text, `Node ${address} : It is forgotten.`);
    assertStringIncludes(after.text, "None, in the last day.");
    assertEquals(admin.nsqadmin.alerts.firing, []);
    const [activity] = admin.nsqadmin.activity.newestFirst;
    assertEquals([activity.action, activity.node, activity.outcome], ["forget", address, "done"]);
  },
);

goneTest(
  "A node that was forgotten is there again when somebody tells of it",
  async (admin, address, setTold) => {
    const { status, json } = await admin.ask("DELETE", `/api/cluster/nodes/${address}`);
    assertEquals([status, json], [200, { message: "" }]);
    assertEquals(admin.nsqadmin.poller.node(address), undefined);

    setTold(true);
    await refresh(admin);

    assertEquals(admin.nsqadmin.poller.node(address)?.state, "up");
    const again = await admin.ask("DELETE", `/api/cluster/nodes/${address}`);
    assertEquals([again.status, again.json], [409, { message: "NODE_NOT_GONE" }]);
    const form = await admin.ask("POST", `/nodes/${address}`, { body: "action=forget" });
    assertEquals(form.status, 409);
    assertStringIncludes(form.text, "This node is not gone");
    assertEquals(admin.nsqadmin.poller.node(address)?.state, "up");
  },
);

goneTest("Only who may change something may forget a node", async (admin, address) => {
  const options = { ...admin.nsqadmin.options, adminUsers: ["root"] };
  await withNsqadmin(options, async (guarded) => {
    const { status } = await guarded.ask("DELETE", `/api/cluster/nodes/${address}`);
    const form = await guarded.ask("POST", `/nodes/${address}`, { body: "action=forget" });

    assertEquals([status, form.status], [403, 403]);
    assertEquals((await pageAt(guarded, "/cluster")).forms.filter(({ method }) => method === "post"), []);
  });
});

goneTest("The tables of the cluster's page are files, too", async (admin, address) => {
  const file = async (table: string) => (await admin.ask("GET", `/cluster?format=json&table=${table}`)).json;

  const gone = await file("gone") as { rows: { address: string; waiting: number }[] };
  const registries = await file("registries") as { rows: { answers: boolean; nodes: number }[] };

  assertEquals(gone.rows.map(({ address, waiting }) => [address, waiting]), [[address, 5]]);
  assertEquals(registries.rows.map(({ answers, nodes }) => [answers, nodes]), [[true, 0]]);
  assertEquals(await file("unreachable"), { rows: [], failures: [] });
  assert((await admin.ask("GET", "/cluster?format=csv&table=gone")).text.startsWith("hostname,address,"));
});
