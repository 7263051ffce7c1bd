import { assertEquals, assertRejects } from "@std/assert";
import { Consumer, type ConsumerOptions, Producer, PublishError, type Status } from "../../src/client/mod.ts";
import { lookupdUrl } from "../../src/client/lookupd_query.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNsqd } from "../support/fake_nsqd.ts";
import { nsqdTest } from "../support/nsqd_in_process.ts";

/** An nsqlookupd that lists what a test says; its HTTP alone. */
class Listing implements AsyncDisposable {
  nodes: readonly string[] = [];
  /** Instead of a list. */
  answer: (() => Response) | undefined;
  readonly requests: { readonly target: string; readonly authorization: string | null }[] = [];
  readonly #end = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, signal: this.#end.signal, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => {
      const { pathname, search } = new URL(request.url);
      this.requests.push({
        target: pathname + search,
        authorization: request.headers.get("Authorization"),
      });
      return this.answer?.() ?? Response.json({ channels: [], producers: producersOf(this.nodes) });
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#server.finished;
  }
}

Deno.test("Consumer connects to every node that any nsqlookupd lists", async () => {
  await using a = new FakeNsqd();
  await using b = new FakeNsqd();
  await using first = new Listing();
  await using second = new Listing();
  first.nodes = [a.address];
  second.nodes = [a.address, b.address];
  await using consumer = consumerOf([first, second]);

  void consumer.run(() => {});

  await eventually("both are connected", () => consumer.stats.nodes.length === 2);
  assertEquals([a.connections, b.connections], [1, 1]);
  assertEquals(first.requests[0], { target: "/lookup?topic=orders", authorization: null });
});

Deno.test("Consumer finds a node that comes later; nobody has the topic before", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.answer = () => Response.json({ message: "TOPIC_NOT_FOUND" }, { status: 404 });
  await using consumer = consumerOf([lookupd], { lookupdPollIntervalMs: 10 });
  const statuses = consumer.status();
  void consumer.run(() => {});
  assertEquals(await statuses.next(), {
    value: { kind: "discovered", lookupd: lookupd.address, nodes: [] },
    done: false,
  });

  lookupd.answer = undefined;
  lookupd.nodes = [nsqd.address];

  await eventually("it is connected", () => consumer.stats.nodes.length === 1);
});

Deno.test("Consumer asks again at once when it loses a node, and connects again if it is listed", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.nodes = [nsqd.address];
  await using consumer = consumerOf([lookupd]);
  void consumer.run(() => {});
  await eventually("it is connected", () => consumer.stats.nodes.length === 1);

  nsqd.drop();

  await eventually("it is connected again", () => nsqd.connections === 2);
  await eventually("it has asked again", () => lookupd.requests.length >= 2);
});

Deno.test("Consumer keeps a connection to a node that is not listed any more, but does not make it anew", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.nodes = [nsqd.address];
  await using consumer = consumerOf([lookupd], {
    lookupdPollIntervalMs: 10,
    reconnect: { minMs: 1, maxMs: 1 },
  });
  const statuses = consumer.status();
  void consumer.run(() => {});
  await eventually("it is connected", () => consumer.stats.nodes.length === 1);

  lookupd.nodes = [];
  for (let told = await next(statuses, "discovered"); told.kind === "discovered" && told.nodes.length > 0;) {
    told = await next(statuses, "discovered");
  }
  assertEquals(consumer.stats.nodes.length, 1);

  nsqd.drop();
  const lost = await next(statuses, "disconnected");
  assertEquals([lost.kind === "disconnected" && lost.retryMs, nsqd.connections], [undefined, 1]);
});

Deno.test("Consumer asks again soon while a node that it has lost is not listed", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.nodes = [nsqd.address];
  await using consumer = consumerOf([lookupd]);
  const statuses = consumer.status();
  void consumer.run(() => {});
  await eventually("it is connected", () => consumer.stats.nodes.length === 1);

  lookupd.nodes = [];
  nsqd.drop();
  await next(statuses, "disconnected");
  await eventually("it has asked", () => lookupd.requests.length >= 2);
  lookupd.nodes = [nsqd.address];

  // The interval is a minute.
  await eventually("it is connected again", () => nsqd.connections === 2);
});

Deno.test("Consumer forgets no node because an nsqlookupd fails", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.nodes = [nsqd.address];
  await using consumer = consumerOf([lookupd]);
  const statuses = consumer.status();
  void consumer.run(() => {});
  await eventually("it is connected", () => consumer.stats.nodes.length === 1);

  lookupd.answer = () => new Response("oops", { status: 500 });
  nsqd.drop();

  await eventually("it is connected again", () => nsqd.connections === 2);
  const failure = await next(statuses, "discovery-failed");
  assertEquals(
    failure.kind === "discovery-failed" && failure.error.message,
    `${lookupd.address}: got response 500 "oops"`,
  );
});

Deno.test("Consumer refuses an answer that is none", async () => {
  await using lookupd = new Listing();
  lookupd.answer = () => Response.json({ producers: [{ broadcast_address: "", tcp_port: 1 }] });
  await using consumer = consumerOf([lookupd]);
  const statuses = consumer.status();
  void consumer.run(() => {});

  const failure = await next(statuses, "discovery-failed");

  assertEquals(
    failure.kind === "discovery-failed" && failure.error.message,
    `${lookupd.address}: the answer is no list of nodes: "{\\"producers\\":[{\\"broadcast_address\\":\\"\\",\\"tcp_port\\":1}]}"`,
  );
});

Deno.test("Consumer connects to those nodes only that its filter leaves", async () => {
  await using a = new FakeNsqd();
  await using b = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.nodes = [a.address, b.address];
  await using consumer = consumerOf([lookupd], { filterNodes: (nodes) => nodes.slice(1) });

  void consumer.run(() => {});

  await eventually("one is connected", () => consumer.stats.nodes.length === 1);
  assertEquals([a.connections, b.connections], [0, 1]);
});

Deno.test("Consumer understands an nsqlookupd from before version 1.0", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.answer = () =>
    Response.json({ status_code: 200, status_txt: "OK", data: { producers: producersOf([nsqd.address]) } });
  await using consumer = consumerOf([lookupd]);

  void consumer.run(() => {});

  await eventually("it is connected", () => consumer.stats.nodes.length === 1);
});

for (
  const [authorized, authorization] of [[undefined, "Bearer s3cret"], [false, null]] as const
) {
  Deno.test(`Consumer shows nsqlookupd its secret: lookupdAuthorization is ${authorized}`, async () => {
    await using lookupd = new Listing();
    await using consumer = consumerOf([lookupd], {
      authSecret: "s3cret",
      ...authorized !== undefined && { lookupdAuthorization: authorized },
    });

    void consumer.run(() => {});

    await eventually("it has asked", () => lookupd.requests.length === 1);
    assertEquals(lookupd.requests[0].authorization, authorization);
  });
}

Deno.test("Producer publishes to the nodes that an nsqlookupd knows", async () => {
  await using nsqd = new FakeNsqd();
  await using lookupd = new Listing();
  lookupd.nodes = [nsqd.address];
  await using producer = new Producer({ lookupd: [lookupd.address] });

  assertEquals(await producer.publish("orders", "a"), { node: nsqd.address });
  assertEquals(lookupd.requests[0].target, "/nodes");
});

Deno.test("Producer gives up when an nsqlookupd knows no node", async () => {
  await using lookupd = new Listing();
  await using producer = new Producer({ lookupd: [lookupd.address], timeoutMs: 50 });

  await assertRejects(() => producer.publish("orders", "a"), PublishError);
});

nsqdTest("Producer and Consumer find nodes by an nsqd with gossip", async (nsqd) => {
  const options = { lookupd: [nsqd.httpUrl] };
  await using producer = new Producer(options);
  await using consumer = new Consumer("orders", "billing", options);

  await producer.publish("orders", "a");

  for await (const message of consumer) {
    assertEquals(message.text(), "a");
    message.finish();
    break;
  }
  await eventually("Serf is missed", () => nsqd.lines.some((line) => line.includes("trying again")));
}, { broadcastAddress: "127.0.0.1", gossipAddress: "127.0.0.1:7946", serfPath: "/does/not/exist" });

nsqdTest("Consumer tells that an nsqd without gossip is no nsqlookupd", async (nsqd) => {
  await using consumer = new Consumer("orders", "billing", { lookupd: [nsqd.httpUrl] });
  const statuses = consumer.status();
  void consumer.run(() => {});

  const failure = await next(statuses, "discovery-failed");

  assertEquals(
    failure.kind === "discovery-failed" && failure.error.message,
    `${nsqd.httpUrl}: got response 404 "{\\"message\\":\\"NOT_FOUND\\"}"`,
  );
});

const URLS: readonly (readonly [lookupd: string, topic: string | undefined, url: string])[] = [
  ["lookup:4161", "a", "http://lookup:4161/lookup?topic=a"],
  ["[::1]:4161", "a#ephemeral", "http://[::1]:4161/lookup?topic=a%23ephemeral"],
  ["https://lookup", undefined, "https://lookup/nodes"],
  ["http://lookup:1/own?x=1", "a", "http://lookup:1/own?x=1&topic=a"],
];

for (const [lookupd, topic, url] of URLS) {
  Deno.test(`lookupdUrl() of ${lookupd} is ${url}`, () => {
    assertEquals(lookupdUrl(lookupd, topic), url);
  });
}

function consumerOf(lookupds: readonly Listing[], options: Partial<ConsumerOptions> = {}): Consumer {
  return new Consumer("orders", "billing", { lookupd: lookupds.map(({ address }) => address), ...options });
}

function producersOf(nodes: readonly string[]) {
  return nodes.map((node) => {
    const [host, port] = node.split(":");
    return { broadcast_address: host, tcp_port: Number(port), http_port: 1, hostname: "x", version: "1.3.0" };
  });
}

async function next(statuses: AsyncIterableIterator<Status>, kind: Status["kind"]): Promise<Status> {
  for (;;) {
    const { value } = await statuses.next();
    if (value === undefined || value.kind === kind) return value;
  }
}
