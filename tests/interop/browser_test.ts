/**
 * A page in Chromium consumes: by reading the stream of `/subscribe` with `fetch`, and by protocol V2 over a WebSocket. The page
 * is of another origin than nsqd, which allows it, and it brings its token both ways.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Chromium } from "../support/chromium.ts";
import { interopTest, TempFolder } from "../support/interop.ts";
import { startNsqd } from "../support/nsqd_process.ts";

const TOKEN = "page-0123456789abcdef";
const ADMIN = "admin-0123456789abcdef";
const LIMIT_MS = 60_000;

interopTest(
  "A page in Chromium consumes and finishes by fetch, and by WebSocket",
  () => Chromium.start(),
  async (chromium) => {
    await using folder = await TempFolder.make();
    const told = Promise.withResolvers<unknown>();
    let nsqdUrl = "";
    await using pages = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        if (request.method !== "POST") {
          return new Response(`<script type="module">${SCRIPT}</script>`.replaceAll("NSQD", nsqdUrl), {
            headers: { "content-type": "text/html" },
          });
        }
        told.resolve(await request.json());
        return new Response();
      },
    );
    const origin = `http://127.0.0.1:${pages.addr.port}`;
    const tokens = `${folder.path}/tokens`;
    await Deno.writeTextFile(tokens, `${TOKEN} page consume:t\n${ADMIN} admin\n`);
    await using nsqd = await startNsqd({
      args: [`--http-auth-token-file=${tokens}`, `--http-allow-origin=${origin}`],
    });
    nsqdUrl = `http://${nsqd.httpAddress}`;
    const post = async (target: string, body = "") => {
      const headers = { authorization: `Bearer ${ADMIN}` };
      const response = await fetch(nsqdUrl + target, { method: "POST", body, headers });
      assertEquals([response.status, await response.text()].slice(0, 1), [200]);
    };
    await post("/topic/create?topic=t");
    for (const channel of ["fetch", "socket"]) await post(`/channel/create?topic=t&channel=${channel}`);
    await post("/mpub?topic=t", "one\ntwo\nthree");

    const tab = await chromium.tab();
    const timer = setTimeout(() => told.reject(new Error("The page says nothing")), LIMIT_MS);
    try {
      await nsqd.run(async () => {
        await tab.open(origin);
        assertEquals(await told.promise, {
          fetch: ["one", "two", "three"],
          finished: [{ done: 1 }, { done: 1 }, { done: 1 }],
          socket: ["one", "two", "three"],
        });
        const headers = { authorization: `Bearer ${ADMIN}` };
        const { topics } = await (await fetch(`${nsqdUrl}/stats?format=json`, { headers })).json();
        assertEquals(
          topics[0].channels.map(({ channel_name, depth, in_flight_count }: Record<string, unknown>) => [
            channel_name,
            depth,
            in_flight_count,
          ]),
          [["fetch", 0, 0], ["socket", 0, 0]],
        );
      });
    } finally {
      clearTimeout(timer);
    }
  },
);

/** What the page does. */
const SCRIPT = `
const headers = { Authorization: "Bearer ${TOKEN}" };
const result = { fetch: [], finished: [], socket: [] };
try {
  const response = await fetch("NSQD/subscribe?topic=t&channel=fetch", { headers });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; result.fetch.length < 3;) {
    text += (await reader.read()).value;
    for (let end; (end = text.indexOf("\\n\\n")) >= 0; text = text.slice(end + 2)) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end));
      if (data === null) continue;
      const { lease, body } = JSON.parse(data[1]);
      result.fetch.push(body);
      const answer = await fetch("NSQD/finish?topic=t&channel=fetch", { method: "POST", headers, body: lease });
      result.finished.push(await answer.json());
    }
  }
  reader.cancel();

  const socket = new WebSocket("NSQD/v2".replace("http", "ws"), ["nsq.v2", "bearer.${TOKEN}"]);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
  const bytes = (text) => new TextEncoder().encode(text);
  let rest = new Uint8Array(0);
  const three = new Promise((resolve) => socket.onmessage = ({ data }) => {
    rest = new Uint8Array([...rest, ...new Uint8Array(data)]);
    for (;;) {
      const view = new DataView(rest.buffer);
      if (rest.length < 4 || rest.length < 4 + view.getUint32(0)) return;
      const end = 4 + view.getUint32(0);
      const text = new TextDecoder("latin1").decode(rest.slice(0, end));
      if (view.getUint32(4) === 2) {
        result.socket.push(text.slice(34));
        socket.send(bytes("FIN " + text.slice(18, 34) + "\\n"));
        if (result.socket.length === 3) resolve();
      }
      rest = rest.slice(end);
    }
  });
  socket.send(bytes("  V2SUB t socket\\nRDY 3\\n"));
  await three;
  // The answer says that what was sent before has come.
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
} catch (error) {
  result.error = String(error);
}
await fetch("/", { method: "POST", body: JSON.stringify(result) });
`;
