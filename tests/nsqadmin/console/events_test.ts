import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import type { Answer } from "../../../src/http/answer.ts";
import { HttpError } from "../../../src/http/http_error.ts";
import { EVENTS_WAITING_MAX, PageEvents, PAGES_MAX } from "../../../src/nsqadmin/console/events.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { HtmlPage } from "../../support/html_page.ts";
import { TempFolder } from "../../support/interop.ts";
import { withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

/** What a page reads, bit by bit. */
function readerOf({ body }: Answer): ReadableStreamDefaultReader<string> {
  if (!(body instanceof ReadableStream)) throw new TypeError("the answer is no stream");
  return body.pipeThrough(new TextDecoderStream()).getReader();
}

Deno.test("GET /events tells of each round, and ends when nsqadmin stops", async () => {
  let reader: ReadableStreamDefaultReader<string> | undefined;
  await withNsqadmin({ nsqdHttpAddresses: [deadAddress()], basePath: "/sub" }, async (admin) => {
    const response = await fetch(`${admin.url}/sub/events`, { headers: { "Accept-Encoding": "gzip" } });
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    assertEquals(response.headers.get("content-encoding"), null);
    reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader?.read())?.value, "retry: 2000\n\n");

    await admin.nsqadmin.poller.refresh();
    await admin.nsqadmin.poller.refresh();

    let text = "";
    while (!text.includes("data: 2")) text += (await reader?.read())?.value;
    assertEquals(text, "event: round\ndata: 1\n\nevent: round\ndata: 2\n\n");
  });
  assertEquals((await reader?.read())?.done, true);
});

Deno.test("The poller goes on as long as a page is open, also when it keeps no history", async () => {
  await using node = new FakeHttp(() => Response.json({ topics: [], broadcast_address: "127.0.0.1" }));
  const options = { nsqdHttpAddresses: [node.address], pollIntervalMs: 100, history: false };
  await withNsqadmin(options, async (admin) => {
    const response = await fetch(`${admin.url}/events`);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();

    let text = "";
    while (!text.includes("data: 3")) text += (await reader?.read())?.value;

    assertMatch(text, /^retry: 2000\n\nevent: round\ndata: 1\n\n/);
    await reader?.cancel();
  });
});

Deno.test("PageEvents.add() refuses more pages than the limit, and has room when one has gone", async () => {
  const events = new PageEvents();
  const readers = Array.from({ length: PAGES_MAX }, () => readerOf(events.add()));

  assertEquals(assertThrows(() => events.add(), HttpError).status, 503);
  await readers[0].cancel();
  events.add();
  assertEquals(assertThrows(() => events.add(), HttpError).status, 503);
  events.end();
  assertEquals([events.isListened, (await readers[1].read()).value], [false, "retry: 2000\n\n"]);
});

Deno.test("PageEvents leaves a browser that does not read", async () => {
  const events = new PageEvents();
  const { body } = events.add();
  if (!(body instanceof ReadableStream)) throw new TypeError("the answer is no stream");

  for (let round = 1; round < EVENTS_WAITING_MAX; round++) events.tell(round);
  assertEquals(events.isListened, true);
  events.beat();

  assertEquals(events.isListened, false);
  await assertRejects(() => body.getReader().read(), Deno.errors.TimedOut);
});

Deno.test("Pages with numbers are kept up to date, others are not", async () => {
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
    const live: string[] = [];
    for (
      const path of [
        "/",
        "/topics",
        "/topics/t",
        "/topics/t/c",
        "/channels",
        "/consumers",
        "/nodes",
        "/nodes/n:1",
        "/counter",
        "/lookup",
      ]
    ) {
      const { text } = await admin.ask("GET", path);
      const { html } = new HtmlPage(text);
      assertMatch(html, /<script type="module" src="\/static\/console\.js"><\/script>/);
      if (html.includes('data-events="/events"')) live.push(path);
    }
    assertEquals(live, [
      "/",
      "/topics",
      "/topics/t",
      "/topics/t/c",
      "/channels",
      "/consumers",
      "/nodes",
      "/nodes/n:1",
      "/counter",
    ]);
  });
});

Deno.test("console.js is what `deno task console` makes of browser/console.ts", async () => {
  await using folder = await TempFolder.make();
  const console = new URL("../../../src/nsqadmin/console/", import.meta.url);
  const made = `${folder.path}/console.js`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", "--platform", "browser", "-o", made, "src/nsqadmin/console/browser/console.ts"],
    cwd: new URL("../../../", import.meta.url),
    stdout: "null",
    stderr: "piped",
  }).output();

  assertEquals([success, new TextDecoder().decode(stderr)].slice(0, success ? 1 : 2), [true]);
  assertEquals(await Deno.readTextFile(new URL("console.js", console)), await Deno.readTextFile(made));
});

Deno.test("PageEvents leaves a page that may not be told any more, with the next event at the latest", async () => {
  const events = new PageEvents();
  let mayGoOn = true;
  const [hers, others] = [readerOf(events.add(() => mayGoOn)), readerOf(events.add())];
  for (const reader of [hers, others]) assertEquals((await reader.read()).value, "retry: 2000\n\n");
  events.tell(1);
  assertEquals((await hers.read()).value, "event: round\ndata: 1\n\n");

  mayGoOn = false;
  events.beat();

  assertEquals([(await hers.read()).done, (await others.read()).value], [true, "event: round\ndata: 1\n\n"]);
  events.end();
});
