import { assert, assertEquals } from "@std/assert";
import { ConsumeClient, type JsonMessage, QUERY } from "../../support/consume_client.ts";
import { eventually } from "../../support/eventually.ts";
import { startNsqd } from "../../support/nsqd_process.ts";

/**
 * A tenth of the whole, which is tried with `DENOSQ_STREAMS=1000 DENOSQ_STREAM_MESSAGES=100000`.
 */
const STREAMS = Number(Deno.env.get("DENOSQ_STREAMS") ?? 100);
const MESSAGES = Number(Deno.env.get("DENOSQ_STREAM_MESSAGES") ?? 5000);
/** Of three streams two die when they have got so many messages. */
const LIFE_MESSAGES = Math.max(2, Math.floor(MESSAGES / STREAMS / 4));
const PUBLISHED_AT_ONCE = 1000;
/** Of a stream's messages, so that what the dead ones hold comes again. */
const TIMEOUT_MS = Math.max(2000, 30 * STREAMS);

Deno.test(`${STREAMS} streams share ${MESSAGES} messages, each finished once, though two of three streams die`, async () => {
  await using nsqd = await startNsqd({
    args: [
      `--http-max-streams=${STREAMS}`,
      "--http-max-connections-per-address=0",
    ],
  });
  const client = new ConsumeClient(`http://${nsqd.httpAddress}`);
  const finished = new Map<string, number>();
  /** Finished perhaps after another had: a late finish of what is finished counts as done, too. */
  const late = new Set<string>();
  /** Finishes a message, and notes it if that was possible; from `lateMs` on it may be too late. */
  const finish = async ({ lease, body }: JsonMessage, lateMs: number) => {
    const { status } = await client.post(`/finish?${QUERY}`, lease);
    if (status === 200) {
      finished.set(body, (finished.get(body) ?? 0) + 1);
      if (performance.now() >= lateMs) late.add(body);
    } else assertEquals(status, 409);
  };
  /** Consumes until it dies, or all is done; what it holds when it dies is not finished. */
  const consume = async (number: number) => {
    const mayDie = number % 3 > 0;
    const lateMs = mayDie ? performance.now() + TIMEOUT_MS : Infinity;
    using events = await client.subscribe(`&max_in_flight=10&timeout=${mayDie ? `${TIMEOUT_MS}ms` : "15m"}`);
    assertEquals(events.response.status, 200);
    await events.next();
    for (let count = 0; finished.size < MESSAGES; count++) {
      const event = await events.next();
      if (event === undefined || event.startsWith("event: closing")) return;
      if (mayDie && count === LIFE_MESSAGES) return;
      if (event.startsWith("id: ")) {
        await finish(JSON.parse(event.slice(event.indexOf("data: ") + 6)), lateMs);
      }
    }
  };

  await nsqd.run(async () => {
    await client.publish();
    const consumers = Array.from({ length: STREAMS }, (_, number) => consume(number));
    for (let first = 0; first < MESSAGES; first += PUBLISHED_AT_ONCE) {
      const lines = Array.from({ length: PUBLISHED_AT_ONCE }, (_, i) => String(first + i)).join("\n");
      assertEquals(await client.answer("/mpub?topic=t", lines), "200 OK");
    }
    await eventually("all are finished", () => finished.size === MESSAGES);
    const counts = async () => {
      const { topics } = await (await fetch(`${client.url}/stats?format=json&include_clients=false`)).json();
      const [{ depth, in_flight_count, timeout_count }] = topics[0].channels;
      return { depth, in_flight_count, timeout_count };
    };
    const { depth, in_flight_count, timeout_count } = await counts();

    assertEquals([depth, in_flight_count], [0, 0]);
    assert(timeout_count > 0, "nobody died with messages in hand");
    assertEquals([...finished].filter(([body, count]) => count !== 1 && !late.has(body)), []);
    // Those that live wait for more, until the channel is gone.
    await client.post(`/channel/delete?${QUERY}`);
    await Promise.all(consumers);
  });
});
