/**
 * nginx in front of nsqd, set up as docs/http-api.md says: what waits, what streams and what is upgraded passes through.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Consumer, Producer } from "../../src/client/mod.ts";
import { ConsumeClient, QUERY } from "../support/consume_client.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError, TempFolder } from "../support/interop.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { freePort } from "../support/ports.ts";

const PAGE = new URL("../../docs/http-api.md", import.meta.url);

/** As far as tests look at it. */
interface ChannelStats {
  readonly depth: number;
  readonly in_flight_count: number;
  readonly finish_count: number;
  readonly clients: readonly unknown[];
}

/** An nsqd behind nginx. */
class Proxied implements AsyncDisposable {
  readonly nsqd: NsqdProcess;
  readonly url: string;
  readonly #folder: TempFolder;
  readonly #nginx: Deno.ChildProcess;

  private constructor(of: { nsqd: NsqdProcess; url: string; folder: TempFolder; nginx: Deno.ChildProcess }) {
    this.nsqd = of.nsqd;
    this.url = of.url;
    this.#folder = of.folder;
    this.#nginx = of.nginx;
  }

  static async start(): Promise<Proxied> {
    const folder = await TempFolder.make();
    const nsqd = await startNsqd();
    const port = freePort();
    await Deno.writeTextFile(`${folder.path}/nginx.conf`, config(folder.path, port, nsqd.httpAddress));
    const args = ["-c", `${folder.path}/nginx.conf`, "-p", folder.path, "-e", `${folder.path}/error.log`];
    try {
      const nginx = new Deno.Command("nginx", { args, stdin: "null", stdout: "null", stderr: "null" })
        .spawn();
      const url = `http://127.0.0.1:${port}`;
      await eventually("nginx listens", () => answers(url));
      return new Proxied({ nsqd, url, folder, nginx });
    } catch (error) {
      await nsqd[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
      throw error instanceof Deno.errors.NotFound ? MissingError.because("nginx", error) : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#nginx.kill("SIGTERM");
    await this.#nginx.status;
    await this.nsqd[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

interopTest("A client behind nginx receives, waits and streams", Proxied.start, async ({ url, nsqd }) => {
  await nsqd.run(async () => {
    const client = new ConsumeClient(url);
    await client.publish();
    const waiting = client.receive("&wait=20s");
    using events = await client.subscribe("&max_in_flight=10");
    assertEquals(await events.next(), "retry: 2000");
    await eventually("both wait", async () => (await channelOf(url)).clients.length === 2);
    await client.publish("a", "b");
    const [received, streamed] = [await waiting, await events.message()];

    assertEquals([received[0].body, streamed.body].sort(), ["a", "b"]);
    const leases = [received[0].lease, streamed.lease].join("\n");
    assertEquals(await client.answer(`/finish?${QUERY}`, leases), '200 {"done":2}');
  });
});

interopTest(
  "The client library makes its round trip over a WebSocket through nginx",
  Proxied.start,
  async (proxied) => {
    await proxied.nsqd.run(async () => {
      const nsqd = [`${proxied.url.replace("http", "ws")}/v2`];
      const sent = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
      const received: string[] = [];
      {
        await using producer = new Producer({ nsqd });
        await using consumer = new Consumer("t", "c", { nsqd, maxInFlight: 100 });
        const publishing = Promise.all(sent.map((body) => producer.publish("t", body)));
        for await (const message of consumer) {
          received.push(message.text());
          message.finish();
          if (received.length === sent.length) break;
        }
        await publishing;
      }
      assertEquals(received.sort(), sent.sort());

      const channel = await channelOf(proxied.url);
      assertEquals([channel.depth, channel.in_flight_count, channel.finish_count], [0, 0, sent.length]);
    });
  },
);

/** What is said of the only channel. */
async function channelOf(url: string): Promise<ChannelStats> {
  const { topics: [{ channels: [channel] }] } = await (await fetch(`${url}/stats?format=json`)).json();
  return channel;
}

/** What the page says, with a map that it names in a comment. */
function config(folder: string, port: number, nsqd: string): string {
  const page = Deno.readTextFileSync(PAGE);
  const location = /^```nginx\n([\s\S]*?)^```$/m.exec(page)?.[1].replace(
    "http://127.0.0.1:4151",
    `http://${nsqd}`,
  );
  const map = /# (map .*)$/m.exec(location ?? "")?.[1];
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${folder}/${name};`
  );
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid;
events { worker_connections 64; }
http {
  access_log off; ${temporary.join(" ")}
  ${map}
  server { listen 127.0.0.1:${port}; ${location} }
}`;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await (await fetch(`${url}/ping`)).text()) === "OK";
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
