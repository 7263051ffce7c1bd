import { assert, assertEquals, assertMatch } from "@std/assert";
import { messageIdText } from "../../../src/protocol/message_id.ts";
import { ConsumeClient, QUERY } from "../../support/consume_client.ts";
import { httpApi } from "../../support/http_api.ts";
import { type NsqdInProcess, nsqdTest, withDataPath, withNsqd } from "../../support/nsqd_in_process.ts";

/** A message of a page. */
interface Shown {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly body: string;
  readonly [key: string]: unknown;
}

interface Page {
  readonly messages: readonly Shown[];
  readonly cursor: string | null;
  readonly looked: number;
  readonly unreadable: number;
  readonly partly: number;
}

/** Asks one nsqd about the messages of channel `c` of topic `t`. */
class Operator extends ConsumeClient {
  async page(wish = ""): Promise<Page> {
    return JSON.parse(await this.text(`/messages?${QUERY}${wish}`));
  }

  async bodies(wish = ""): Promise<string[]> {
    return (await this.page(wish)).messages.map(({ body }) => body);
  }

  async text(target: string): Promise<string> {
    const response = await fetch(`${this.url}${target}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text}`);
    return text;
  }

  async idOf(body: string): Promise<string> {
    const found = (await this.page()).messages.find((message) => message.body === body);
    assert(found, `${body} is not there`);
    return found.id;
  }
}

function messagesTest(name: string, test: (operator: Operator, nsqd: NsqdInProcess) => Promise<void>): void {
  nsqdTest(name, (nsqd) => test(new Operator(nsqd.httpUrl), nsqd));
}

messagesTest("GET /messages shows the messages of a channel in every state", async (operator, nsqd) => {
  await operator.publish("flying", "waiting");
  await operator.post("/pub?topic=t&defer=5000", "soon");
  await operator.post("/pub?topic=t&defer=3600000", "late");
  using client = await nsqd.connect();
  assertEquals(await client.ask("SUB t c\n"), "OK");
  await client.send("RDY 1\n");
  const flying = await client.message();

  const { messages, ...rest } = await operator.page();

  assertEquals(rest, { cursor: null, looked: 4, unreadable: 0, partly: 0 });
  assertEquals(messages.map(({ state, body, attempts, size }) => [state, body, attempts, size]), [
    ["in_flight", "flying", 1, 6],
    ["waiting", "waiting", 0, 7],
    ["deferred", "soon", 0, 4],
    ["parked", "late", 0, 4],
  ]);
  const [first, , soon, late] = messages;
  assertEquals(Object.keys(first), [
    "id",
    "state",
    "attempts",
    "timestamp",
    "client",
    "expires_in_ms",
    "size",
    "body",
  ]);
  assertEquals(first.id, flying.id);
  assertMatch(String(first.client), /^127\.0\.0\.1:\d+$/);
  assert(Number(first.expires_in_ms) > 50_000 && Number(first.expires_in_ms) <= 60_000);
  assert(Number(soon.due_in_ms) > 0 && Number(soon.due_in_ms) <= 5000);
  assert(Number(late.due_in_ms) > 3_500_000 && Number(late.due_in_ms) <= 3_600_000);
  assertEquals(await operator.bodies("&state=deferred,parked"), ["soon", "late"]);
  assertEquals(await operator.bodies("&state=in_flight"), ["flying"]);
  await client.send(`FIN ${flying.id}\n`);
});

messagesTest("GET /messages pages, with a cursor that stays good", async (operator) => {
  await operator.publish("1", "2", "3", "4", "5");
  const first = await operator.page("&max=2");
  assert(first.cursor);
  await operator.post(`/message/delete?${QUERY}&id=${first.messages[0].id}`);
  await operator.post("/pub?topic=t", "6");

  assertEquals(first.messages.map(({ body }) => body), ["1", "2"]);
  const second = await operator.page(`&cursor=${first.cursor}`);
  assertEquals(second.messages.map(({ body }) => body), ["3", "4", "5", "6"]);
  assertEquals(second.cursor, null);
});

messagesTest("GET /messages shows the beginning of a body, and GET /message all of it", async (operator) => {
  await operator.publish("äöü".repeat(3), Uint8Array.of(0, 255, 1));

  const { messages } = await operator.page("&body=3");

  assertEquals(
    messages.map(({ body, size, encoding, cut }) => [body, size, encoding, cut]),
    [["ä", 18, undefined, true], ["AP8B", 3, "base64", undefined]],
  );
  const whole = JSON.parse(await operator.text(`/message?${QUERY}&id=${messages[0].id}`));
  const { cut: _, ...first } = messages[0];
  assertEquals(whole, { ...first, body: "äöüäöüäöü" });
  const raw = await fetch(`${operator.url}/message?${QUERY}&id=${messages[1].id}&format=raw`);
  assertEquals(await raw.bytes(), Uint8Array.of(0, 255, 1));
  assertEquals(
    ["nsq-message-id", "nsq-attempts", "nsq-message-state"].map((name) => raw.headers.get(name)),
    [messages[1].id, "0", "waiting"],
  );
});

messagesTest("GET /messages searches in bodies", async (operator) => {
  await operator.publish(
    '{"user":{"id":42,"name":"Ann"},"items":[{"sku":"a-1"},{"sku":"b-2"}]}',
    '{"user":{"id":"42"},"items":[]}',
    "order 1234 of Ann",
    "x".repeat(300_000) + "needle",
  );
  const found = async (wish: string) =>
    (await operator.page(`&body=12${wish}`)).messages.map(({ body }) => body);
  const [first, second, third, long] = await operator.bodies("&body=12");

  assertEquals(await found("&contains=Ann"), [first, third]);
  assertEquals(await found("&contains=needle"), [long]);
  assertEquals(await found(`&regex=${encodeURIComponent("order \\d{4}\\b")}`), [third]);
  assertEquals(await found("&regex=needle"), [long]);
  assertEquals(await found("&path=$.user.id&value=42"), [first, second]);
  assertEquals(await found(`&path=${encodeURIComponent("$.items[*].sku")}&value=b-2`), [first]);
  assertEquals(await found("&path=$.items[-1]"), [first]);
  assertEquals(await found("&path=$.user.name"), [first]);
});

messagesTest("GET /messages without a channel shows what is the topic's own", async (operator) => {
  await operator.post("/pub?topic=t", "own");

  const { messages } = JSON.parse(await operator.text("/messages?topic=t"));

  assertEquals(messages.map(({ body, state }: Shown) => [body, state]), [["own", "waiting"]]);
});

messagesTest(
  "POST /message/delete drops a message, also from a client that has it",
  async (operator, nsqd) => {
    await operator.publish("flying", "waiting", "last");
    using client = await nsqd.connect();
    assertEquals(await client.ask("SUB t c\n"), "OK");
    await client.send("RDY 1\n");
    const { id } = await client.message();
    await client.send("RDY 0\n");

    assertEquals(
      await operator.answer(`/message/delete?${QUERY}&id=${await operator.idOf("waiting")}`),
      "200 ",
    );
    assertEquals(await operator.answer(`/message/delete?${QUERY}&id=${id}`), "200 ");

    assertEquals(await client.ask(`FIN ${id}\n`), `E_FIN_FAILED FIN ${id} failed ID not in flight`);
    assertEquals(await operator.bodies(), ["last"]);
    assertEquals(
      await operator.answer(`/message/delete?${QUERY}&id=${id}`),
      '404 {"message":"MESSAGE_NOT_FOUND"}',
    );
  },
);

messagesTest(
  "POST /message/requeue makes a message the next one, whatever it was",
  async (operator, nsqd) => {
    await operator.publish("1", "2", "3");
    await operator.post("/pub?topic=t&defer=3600000", "late");
    using client = await nsqd.connect();
    assertEquals(await client.ask("SUB t c\n"), "OK");
    await client.send("RDY 1\n");
    const first = await client.message();
    await client.send("RDY 0\n");

    for (const body of ["3", "late", "1"]) {
      assertEquals(
        await operator.answer(`/message/requeue?${QUERY}&id=${await operator.idOf(body)}`),
        "200 ",
      );
    }

    assertEquals(
      await client.ask(`FIN ${first.id}\n`),
      `E_FIN_FAILED FIN ${first.id} failed ID not in flight`,
    );
    await client.send("RDY 1\n");
    const next: string[] = [];
    for (let i = 0; i < 4; i++) {
      const { id, body, attempts } = await client.message();
      next.push(`${body} ${attempts}`);
      await client.send(`FIN ${id}\n`);
    }
    assertEquals(next, ["1 2", "late 1", "3 1", "2 1"]);
  },
);

messagesTest("POST /message/cancel drops what is not due yet, in all channels", async (operator) => {
  await operator.publish("now");
  await operator.post("/channel/create?topic=t&channel=other");
  await operator.post("/pub?topic=t&defer=3600000", "late");
  const id = await operator.idOf("late");

  assertEquals(await operator.answer(`/message/cancel?topic=t&id=${id}`), '200 {"canceled":2}');
  assertEquals(
    await operator.answer(`/message/cancel?topic=t&id=${id}`),
    '404 {"message":"MESSAGE_NOT_FOUND"}',
  );
  const now = await operator.idOf("now");
  assertEquals(await operator.answer(`/message/cancel?${QUERY}&id=${now}`), '409 {"message":"NOT_DEFERRED"}');
  assertEquals(await operator.bodies(), ["now"]);
});

messagesTest("POST /client/kick ends a client's connection, over TCP or a stream", async (operator, nsqd) => {
  await operator.publish("flying");
  using client = await nsqd.connect();
  assertEquals(await client.ask("SUB t c\n"), "OK");
  await client.send("RDY 1\n");
  await client.message();
  const [{ client: address }] = (await operator.page()).messages;

  assertEquals(await operator.answer(`/client/kick?address=${address}`), '200 {"kicked":1}');

  assertEquals(await client.rest(), []);
  assertEquals(
    await operator.answer(`/client/kick?address=${address}`),
    '404 {"message":"CLIENT_NOT_FOUND"}',
  );
  using stream = await operator.subscribe();
  const { topics: [{ channels: [{ clients }] }] } = JSON.parse(await operator.text("/stats?format=json"));
  const [{ remote_address: other }] = clients.filter(({ version }: { version: string }) => version === "SSE");
  assertEquals(await operator.answer(`/client/kick?address=${other}`), '200 {"kicked":1}');
  assertEquals(await stream.next(), "retry: 2000");
  assertEquals(await stream.next(), 'event: closing\ndata: {"message":"KICKED"}');
});

Deno.test("nsqd keeps through a stop what was deleted, requeued and canceled", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, {}, async (nsqd) => {
      const operator = new Operator(nsqd.httpUrl);
      await operator.publish("1", "2", "3");
      for (const body of ["a", "b", "c"]) await operator.post("/pub?topic=t&defer=3600000", body);
      await operator.post(`/message/delete?${QUERY}&id=${await operator.idOf("2")}`);
      await operator.post(`/message/requeue?${QUERY}&id=${await operator.idOf("b")}`);
      await operator.post(`/message/cancel?topic=t&id=${await operator.idOf("c")}`);
    });
    await withNsqd(dataPath, {}, async (nsqd) => {
      const { messages } = await new Operator(nsqd.httpUrl).page();
      assertEquals(messages.map(({ body, state }) => `${body} ${state}`), [
        "1 waiting",
        "3 waiting",
        "a parked",
        "b waiting",
      ]);
    });
  });
});

Deno.test("The endpoints for messages refuse what they cannot do", async () => {
  const api = httpApi();
  api.broker.topic("t").channel("c");
  const id = messageIdText(1, api.options.nodeId);
  const refused = [
    ["GET /messages", "400 MISSING_ARG_TOPIC"],
    ["GET /messages?topic=-*", "400 INVALID_ARG_TOPIC"],
    ["GET /messages?topic=t&channel=-*", "400 INVALID_ARG_CHANNEL"],
    ["GET /messages?topic=u", "404 TOPIC_NOT_FOUND"],
    ["GET /messages?topic=t&channel=d", "404 CHANNEL_NOT_FOUND"],
    ["GET /messages?topic=t&token=x", "400 TOKEN_IN_URL"],
    ["GET /messages?topic=t&state=waiting,flying", "400 INVALID_STATE"],
    ["GET /messages?topic=t&max=0", "400 INVALID_MAX"],
    ["GET /messages?topic=t&max=1001", "400 INVALID_MAX"],
    ["GET /messages?topic=t&body=65537", "400 INVALID_BODY"],
    ["GET /messages?topic=t&time=99ms", "400 INVALID_TIME"],
    ["GET /messages?topic=t&time=10001", "400 INVALID_TIME"],
    ["GET /messages?topic=t&cursor=1", "400 INVALID_CURSOR"],
    [`GET /messages?topic=t&contains=${"x".repeat(257)}`, "400 INVALID_CONTAINS"],
    ["GET /messages?topic=t&contains=", "400 INVALID_CONTAINS"],
    ["GET /messages?topic=t&regex=(", "400 INVALID_REGEX"],
    ["GET /messages?topic=t&regex=(a{20}){20}", "400 INVALID_REGEX"],
    ["GET /messages?topic=t&path=a", "400 INVALID_PATH"],
    ["GET /messages?topic=t&contains=a&regex=b", "400 INVALID_SEARCH"],
    ["GET /messages?topic=t&value=b", "400 INVALID_SEARCH"],
    ["GET /message?topic=t&channel=c", "400 MISSING_ARG_ID"],
    ["GET /message?topic=t&channel=c&id=xyz", "400 INVALID_ID"],
    [`GET /message?topic=t&channel=c&id=${messageIdText(1, api.options.nodeId ^ 1)}`, "400 INVALID_ID"],
    [`GET /message?topic=t&channel=c&id=${id}`, "404 MESSAGE_NOT_FOUND"],
    [`GET /message?topic=t&channel=c&id=${id}&format=frames`, "400 INVALID_FORMAT"],
    [`POST /message/delete?topic=t&id=${id}`, "400 MISSING_ARG_CHANNEL"],
    [`POST /message/requeue?topic=t&id=${id}`, "400 MISSING_ARG_CHANNEL"],
    [`POST /message/delete?topic=t&channel=c&id=${id}`, "404 MESSAGE_NOT_FOUND"],
    [`POST /message/cancel?topic=t&id=${id}`, "404 MESSAGE_NOT_FOUND"],
    ["POST /client/kick", "400 MISSING_ARG_ADDRESS"],
    ["POST /client/kick?address=1.2.3.4:5", "404 CLIENT_NOT_FOUND"],
  ];

  for (const [line, answer] of refused) {
    const [method, target] = line.split(" ");
    const { status, text } = await api.request(method, target);
    assertEquals([line, `${status} ${JSON.parse(text).message}`], [line, answer]);
  }
});

Deno.test("No more than four requests look at messages at a time", async () => {
  const api = httpApi();
  const topic = api.broker.topic("t");
  topic.channel("c");
  topic.publish(new TextEncoder().encode("a"));

  const statuses = (await Promise.all(
    Array.from({ length: 6 }, () => api.request("GET", "/messages?topic=t&channel=c")),
  )).map(({ status }) => status);

  assertEquals(statuses, [200, 200, 200, 200, 429, 429]);
  assertEquals((await api.request("GET", "/messages?topic=t&channel=c")).status, 200);
});
