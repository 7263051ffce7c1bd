import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fakeNode, lookupdOf, pageAt, press } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp, type FakeHttpRequest } from "../../support/fake_http.ts";
import { IMPATIENT, type NsqadminInProcess, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { freePort } from "../../support/ports.ts";

/** As the script asks when a page is told of a round. */
const UPDATE = { "X-Nsqadmin-Update": "1" };
const PATHS = ["/topics/t", "/topics/t/c", "/consumers"];

/** A node with a topic and a channel, in which as many messages wait, and which are paused, as it says. */
function nodeWith(
  state: { depth: number; paused: boolean },
  options: { readonly port?: number } = {},
): FakeHttp {
  return fakeNode(({ target }) => {
    if (target.startsWith("/topic/pause")) state.paused = true;
    const clients = [{ hostname: "h", client_id: String(state.depth), user_agent: "u" }];
    const channels = [{
      channel_name: "c",
      depth: state.depth,
      paused: state.paused,
      clients,
      client_count: 1,
    }];
    return Response.json({ topics: [{ topic_name: "t", channels, paused: state.paused }] });
  }, options);
}

/** What a page says of the state. */
async function textOf(admin: NsqadminInProcess, path: string, headers = {}): Promise<string> {
  return (await pageAt(admin, path, headers)).rows.flat().join(" ");
}

/** What is answered at that path, once all of it has come. */
async function pageOf(admin: NsqadminInProcess, path: string): Promise<string> {
  return (await admin.ask("GET", path)).text;
}

Deno.test("Pages that bring themselves up to date ask the cluster once in a round, however many they are", async () => {
  const state = { depth: 1234, paused: false };
  await using node = nodeWith(state);
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    for (const path of PATHS) {
      await admin.nsqadmin.poller.refresh();
      state.depth = 1234;
      const before = await textOf(admin, path, UPDATE);
      state.depth = 5678;
      const asked = node.requests.length;
      const same = await Promise.all([textOf(admin, path, UPDATE), textOf(admin, path, UPDATE)]);
      assertEquals(node.requests.length, asked);
      await admin.nsqadmin.poller.refresh();

      assertMatch(before, /1,?234/);
      assertEquals(same, [before, before]);
      // What took long to be asked is shared for as long again.
      await eventually(
        "the page is up to date",
        async () => /5,?678/.test(await textOf(admin, path, UPDATE)),
      );
    }
  });
});

Deno.test("A page that somebody loads is what the nodes say then", async () => {
  const state = { depth: 1234, paused: false };
  await using node = nodeWith(state);
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    for (const path of PATHS) {
      state.depth = 1234;
      assertMatch(await textOf(admin, path), /1,?234/);
      state.depth = 5678;
      assertMatch(await textOf(admin, path), /5,?678/);
    }
  });
});

Deno.test("Who has changed something sees it at once, and so do all others who look", async () => {
  await using node = nodeWith({ depth: 1, paused: false });
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const page = await pageAt(admin, "/topics/t", UPDATE);
    assertEquals((await press(admin, "/topics/t", { page, button: "Pause" })).status, 303);

    const after = await pageAt(admin, "/topics/t", UPDATE);

    assertStringIncludes(after.all("h1").join(""), "paused");
  });
});

Deno.test("A node of which it is known that it does not answer delays no page of a topic, channel or consumers", async () => {
  await using hung = new FakeHttp(() => new Promise(() => {}));
  await using node = nodeWith({ depth: 1, paused: false });
  await using lookupd = lookupdOf(() => [hung.address, node.address]);
  const options = {
    lookupdHttpAddresses: [lookupd.address],
    // Longer than the test may take.
    httpClientRequestTimeoutMs: 600_000,
  };
  await withNsqadmin(options, async (admin) => {
    await admin.nsqadmin.poller.refresh();

    for (const path of PATHS) {
      const page = await pageAt(admin, path);

      assertStringIncludes(page.text, `nsqd ${hung.address} : Get "http://${hung.address}/`);
      assertEquals(page.rows.length > 1, true);
    }
  }, { waits: IMPATIENT });
});

Deno.test("A node that begins to hang delays pages of a topic and channel for a while, and they say what it had", async () => {
  let hangs = false;
  const topics = [{
    topic_name: "t",
    depth: 3,
    channels: [{ channel_name: "c", depth: 4321, in_flight_count: 5 }],
  }];
  await using hanging = fakeNode(() => hangs ? new Promise(() => {}) : Response.json({ topics }));
  await using node = nodeWith({ depth: 1, paused: false });
  await using lookupd = lookupdOf(() => [hanging.address, node.address]);
  const options = {
    lookupdHttpAddresses: [lookupd.address],
    // Longer than the test may take.
    httpClientRequestTimeoutMs: 600_000,
  };
  await withNsqadmin(options, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    assertEquals((await pageAt(admin, "/topics/t")).text.includes("had it"), false);
    hangs = true;

    const [topic, channel] = await Promise.all(
      ["/topics/t", "/topics/t/c"].map((path) => pageAt(admin, path)),
    );

    for (
      const [page, last] of [[topic, "4,324 waiting, 5 in flight"], [
        channel,
        "4,321 waiting, 5 in flight",
      ]] as const
    ) {
      assertStringIncludes(page.text, `nsqd ${hanging.address} : Get "http://${hanging.address}/`);
      assertMatch(
        page.text,
        new RegExp(`One of them had it host-\\d+ ${hanging.address} , as it was \\S+ ago: ${last}`),
      );
      assertEquals(page.rows.some(([name]) => name.endsWith(node.address)), true);
    }
  }, { waits: IMPATIENT });
});

Deno.test("An nsqlookupd or node that begins to hang delays the consumers and the lookup for a second, and is named", async () => {
  let hangs = false;
  const hang = () => hangs ? new Promise<Response>(() => {}) : undefined;
  await using hanging = fakeNode(() => hang() ?? Response.json({ topics: [] }));
  await using node = nodeWith({ depth: 1, paused: false });
  const addresses = () => [hanging.address, node.address];
  const names = ({ target }: FakeHttpRequest) =>
    target === "/topics"
      ? Response.json({ topics: ["left"] })
      : target.startsWith("/channels")
      ? Response.json({ channels: ["over"] })
      : undefined;
  await using lookupd = lookupdOf(addresses, names);
  await using hangingLookupd = lookupdOf(addresses, (request) => hang() ?? names(request));
  const options = {
    lookupdHttpAddresses: [lookupd.address, hangingLookupd.address],
    // Longer than the test may take.
    httpClientRequestTimeoutMs: 600_000,
  };
  await withNsqadmin(options, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    for (const path of ["/consumers", "/lookup"]) {
      assertEquals((await pageAt(admin, path)).text.includes("not answered"), false);
    }
    hangs = true;

    const [consumers, lookup] = await Promise.all(
      ["/consumers", "/lookup"].map((path) => pageAt(admin, path)),
    );

    assertStringIncludes(consumers.text, "2 daemons have not answered");
    assertStringIncludes(consumers.text, `nsqlookupd ${hangingLookupd.address} : Get "http://`);
    assertStringIncludes(consumers.text, `nsqd ${hanging.address} : is late, and not waited for`);
    assertEquals(consumers.rows.some(([name]) => name.startsWith("h 1")), true);
    assertStringIncludes(lookup.text, "One daemon has not answered");
    assertStringIncludes(lookup.text, `nsqlookupd ${hangingLookupd.address} : is late, and not waited for`);
    assertEquals(lookup.rows.slice(1).map(([name]) => name), ["left"]);
  }, { waits: IMPATIENT });
});

Deno.test("What a daemon answers late is on the next page, and in the file that somebody waits for", async () => {
  let late: PromiseWithResolvers<void> | undefined;
  const clients = [{ hostname: "slow", client_id: "1", user_agent: "u" }];
  const topics = [{ topic_name: "t", channels: [{ channel_name: "c", clients, client_count: 1 }] }];
  await using slow = fakeNode(async ({ target }) => {
    // Not to the poller, which would know that it is late.
    if (!target.includes("include_clients=false")) await late?.promise;
    return Response.json({ topics });
  });
  await using node = nodeWith({ depth: 1, paused: false });
  await using lookupd = lookupdOf(() => [slow.address, node.address]);
  const options = { lookupdHttpAddresses: [lookupd.address], httpClientRequestTimeoutMs: 600_000 };
  await withNsqadmin(options, async (admin) => {
    await admin.nsqadmin.poller.refresh();
    late = Promise.withResolvers();
    const file = pageOf(admin, "/consumers?format=json");
    const first = await pageAt(admin, "/consumers");
    assertStringIncludes(first.text, `nsqd ${slow.address} : is late, and not waited for`);
    assertEquals(first.rows.slice(1).map(([name]) => name), ["h 1"]);

    late.resolve();

    const { rows, failures } = JSON.parse(await file);
    assertEquals([rows.length, failures], [2, []]);
    const asked = slow.requests.length;
    const next = await pageAt(admin, "/consumers");
    assertEquals(next.rows.slice(1).map(([name]) => name).sort(), ["h 1", "slow 1"]);
    assertEquals(slow.requests.length, asked);
    assertEquals(next.text.includes("not answered"), false);
  }, { waits: IMPATIENT });
});

Deno.test("Pages of a topic and channel tell of nodes that are gone, and of what they had", async () => {
  await using node = nodeWith({ depth: 1, paused: false });
  const gone = nodeWith({ depth: 4321, paused: false }, { port: freePort() });
  let addresses = [node.address, gone.address];
  await using lookupd = lookupdOf(() => addresses);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { poller } = admin.nsqadmin;
    await poller.refresh();
    assertEquals((await pageAt(admin, "/topics/t/c")).text.includes("that had it"), false);
    await gone[Symbol.asyncDispose]();
    addresses = [node.address];
    poller.rediscover();
    await poller.refresh();

    for (const path of ["/topics/t", "/topics/t/c"]) {
      const { text } = await pageAt(admin, path);
      assertStringIncludes(text, `One node that had it is gone`);
      assertMatch(text, /host-\d+ 127\.0\.0\.1:\d+ , \S+ ago, where 4,321 messages waited/);
    }
  });
});
