/**
 * A cluster for nsqadmin to show, in a process of its own: an nsqlookupd, and many nsqds that all say the same, and something
 * else each time they are asked. Prints the
 * nsqlookupd's address, and serves until it is killed.
 *
 * @module
 */

const [nodes, topics, channels] = Deno.args.map(Number);
const HOST = "127.0.0.1";

const names = Array.from({ length: topics }, (_, i) => `topic-${String(i).padStart(4, "0")}`);
const LATENCY = { count: 0, percentiles: null };
const ENCODER = new TextEncoder();

/** What the topics say the first time they are asked, the second and so on; then the first again. */
const ROUNDS = 4;
const rounds = Array.from({ length: ROUNDS }, (_, round) =>
  names.map((topic_name, i) => ({
    topic_name,
    channels: Array.from({ length: channels }, (_, c) => ({
      ...{
        channel_name: `channel-${c}`,
        depth: i * c + round,
        backend_depth: 0,
        in_flight_count: round,
        deferred_count: 0,
      },
      ...{
        message_count: (i + round) * 1000,
        requeue_count: 0,
        timeout_count: 0,
        client_count: 0,
        clients: [],
      },
      ...{ paused: false, e2e_processing_latency: LATENCY },
    })),
    ...{ depth: i, backend_depth: 0, message_count: (i + round) * 1000, message_bytes: 0, paused: false },
    e2e_processing_latency: LATENCY,
  })));
const all = rounds.map(statsOf);
const one = rounds[0].map((topic) => statsOf([topic]));

const ports = Array.from({ length: nodes }, () => {
  let asked = 0;
  return serve(({ searchParams }) => {
    const topic = searchParams.get("topic");
    return topic === null ? all[asked++ % ROUNDS] : one[names.indexOf(topic)];
  });
});
const producers = ports.map((http_port, i) => ({
  ...{ remote_address: `${HOST}:${http_port}`, hostname: `node-${String(i).padStart(3, "0")}` },
  ...{ broadcast_address: HOST, tcp_port: 20_000 + i, http_port, version: "1.3.0" },
}));
const answers: Readonly<Record<string, unknown>> = {
  "/topics": { topics: names },
  "/lookup": { channels: [], producers },
  "/nodes": {
    producers: producers.map((each) => ({ ...each, tombstones: names.map(() => false), topics: names })),
  },
};
const encoded = new Map(
  Object.entries(answers).map(([path, answer]) => [path, ENCODER.encode(JSON.stringify(answer))]),
);
console.log(`${HOST}:${serve(({ pathname }) => encoded.get(pathname) ?? all[0])}`);

function statsOf(topics: readonly unknown[]): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(
    JSON.stringify({ version: "1.3.0", health: "OK", start_time: 1_700_000_000, topics }),
  );
}

function serve(answer: (url: URL) => Uint8Array<ArrayBuffer>): number {
  const headers = { "Content-Type": "application/json; charset=utf-8" };
  const server = Deno.serve(
    { hostname: HOST, port: 0, onListen: () => {} },
    (request) => new Response(answer(new URL(request.url)), { headers }),
  );
  return server.addr.port;
}
