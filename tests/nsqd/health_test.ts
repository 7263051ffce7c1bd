import { assertEquals, assertMatch } from "@std/assert";
import { MetadataFile } from "../../src/nsqd/metadata.ts";
import { eventually } from "../support/eventually.ts";
import { nsqdIn, type NsqdInProcess, nsqdTest, withDataPath } from "../support/nsqd_in_process.ts";

async function get(port: number | undefined, path: string): Promise<[status: number, text: string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return [response.status, await response.text()];
}

const READY = '{"ready":true,"state":"running","reasons":[]}';

nsqdTest(
  "GET /health/live and /health/ready say that a running nsqd is alive and ready",
  async ({ nsqd, lines }) => {
    const before = lines.length;

    assertEquals(await get(nsqd.httpPort, "/health/live"), [200, '{"live":true}']);
    assertEquals(await get(nsqd.httpPort, "/health/ready"), [200, READY]);
    assertEquals(lines.slice(before), []);
  },
);

/** Starts an nsqd that goes on loading until it is told to go on. */
async function whileLoading(use: (nsqd: NsqdInProcess) => Promise<void>): Promise<NsqdInProcess> {
  const { load } = MetadataFile.prototype;
  const hold = Promise.withResolvers<void>();
  const lines: string[] = [];
  let started: NsqdInProcess | undefined;
  await withDataPath(async (dataPath) => {
    MetadataFile.prototype.load = async function (...args) {
      await hold.promise;
      await load.apply(this, args);
    };
    const nsqd = nsqdIn(dataPath, {}, lines);
    const starting = nsqd.start();
    try {
      await eventually("it listens for HTTP", () => nsqd.httpPort);
      started = { nsqd, lines } as NsqdInProcess;
      await use(started);
    } finally {
      MetadataFile.prototype.load = load;
      hold.resolve();
      await starting;
      assertEquals(await get(nsqd.httpPort, "/health/ready"), [200, READY]);
      await nsqd.stop();
    }
  });
  if (started === undefined) throw new Error("It was not used");
  return started;
}

Deno.test("An nsqd that is still loading is alive, and not ready", async () => {
  await whileLoading(async ({ nsqd }) => {
    assertEquals(await get(nsqd.httpPort, "/health/live"), [200, '{"live":true}']);
    assertEquals(await get(nsqd.httpPort, "/health/ready"), [
      503,
      '{"ready":false,"state":"loading","reasons":["loading"]}',
    ]);
    assertEquals(await get(nsqd.httpPort, "/ping"), [500, "NOK - loading"]);
  });
});

Deno.test("An nsqd that is still loading answers every other request with 503, and takes no TCP client", async () => {
  await whileLoading(async ({ nsqd }) => {
    const url = `http://127.0.0.1:${nsqd.httpPort}/pub?topic=t`;
    const published = await fetch(url, { method: "POST", body: "a" });

    assertEquals([published.status, published.headers.get("retry-after")], [503, "1"]);
    assertEquals(await published.text(), '{"message":"LOADING"}');
    for (const path of ["/stats", "/info", "/config/log_level", "/debug/pprof/heap"]) {
      assertEquals(await get(nsqd.httpPort, path), [503, '{"message":"LOADING"}']);
    }
    assertEquals(nsqd.tcpPort, undefined);
  });
});

nsqdTest(
  "An nsqd without a disk is not ready, and says why, until it can be written to again",
  async ({ nsqd, lines }) => {
    const dataPath = /persisting topic\/channel metadata to (\S+)\/nsqd\.dat/.exec(lines.join("\n"))?.[1] ??
      "";
    const blocker = `${dataPath}/blocked.topic`;
    await Deno.writeTextFile(blocker, "not a folder");
    const refused = await fetch(`http://127.0.0.1:${nsqd.httpPort}/pub?topic=blocked`, {
      method: "POST",
      body: "a",
    });
    await refused.body?.cancel();

    const [status, text] = await get(nsqd.httpPort, "/health/ready");

    assertEquals(status, 503);
    assertMatch(text, /^{"ready":false,"state":"running","reasons":\["disk: .*Not a directory.*"\]}$/);
    await Deno.remove(blocker);
    await eventually("it is ready", async () => (await get(nsqd.httpPort, "/health/ready"))[0] === 200);
  },
  { syncTimeoutMs: 20 },
);

nsqdTest("A probe of an nsqd that is not ready is no error of a client's", async ({ nsqd, lines }) => {
  const dataPath = /persisting topic\/channel metadata to (\S+)\/nsqd\.dat/.exec(lines.join("\n"))?.[1] ?? "";
  await Deno.writeTextFile(`${dataPath}/blocked.topic`, "not a folder");
  const refused = await fetch(`http://127.0.0.1:${nsqd.httpPort}/pub?topic=blocked`, {
    method: "POST",
    body: "a",
  });
  await refused.body?.cancel();
  const [status] = await get(nsqd.httpPort, "/health/ready");

  const [, stats] = await get(nsqd.httpPort, "/stats?format=json");

  assertEquals(status, 503);
  assertEquals(JSON.parse(stats).errors.counts, { HTTP_503: 1 });
});
