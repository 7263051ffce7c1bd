import { assert, assertEquals, assertThrows } from "@std/assert";
import { HttpError } from "../../../src/http/http_error.ts";
import { deadLetterTopicsOf, originOf } from "../../../src/nsqadmin/dead_letters.ts";
import { tcpAddressesOf } from "../../../src/nsqadmin/node_connections.ts";
import { infoNode } from "../../../src/cluster/cluster_nodes.ts";
import {
  MESSAGES_MAX,
  RATE_DEFAULT,
  RATE_MAX,
  redriveOrder,
  Redrives,
  RUNNING_MAX,
} from "../../../src/nsqadmin/redrive/redrives.ts";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { SystemClock } from "../../../src/base/clock.ts";

const ME = { user: "me", address: "h:1", userAgent: "" };
const ORDER = { topic: "t", channel: "c", to: "to", rate: "", messages: "" };

Deno.test("redriveOrder() has defaults, and refuses what is none", () => {
  assertEquals(redriveOrder({ ...ORDER, to: " to " }), {
    topic: "t",
    channel: "c",
    to: "to",
    rate: RATE_DEFAULT,
    messages: MESSAGES_MAX,
  });
  assertEquals(redriveOrder({ ...ORDER, rate: String(RATE_MAX), messages: "1" }).rate, RATE_MAX);
  for (
    const [change, code] of [
      [{ topic: "b$d" }, "INVALID_TOPIC"],
      [{ channel: "" }, "INVALID_CHANNEL"],
      [{ channel: "c#ephemeral" }, "INVALID_CHANNEL"],
      [{ to: "" }, "INVALID_TARGET"],
      [{ to: "t" }, "INVALID_TARGET"],
      [{ to: "to#ephemeral" }, "INVALID_TARGET"],
      [{ rate: "0" }, "INVALID_RATE"],
      [{ rate: String(RATE_MAX + 1) }, "INVALID_RATE"],
      [{ rate: "1.5" }, "INVALID_RATE"],
      [{ messages: String(MESSAGES_MAX + 1) }, "INVALID_MESSAGES"],
      [{ messages: "-1" }, "INVALID_MESSAGES"],
    ] as const
  ) {
    assertThrows(() => redriveOrder({ ...ORDER, ...change }), HttpError, code);
  }
});

Deno.test("Redrives has one of a channel at a time and a few in all, none of who may not any more, and none after it is stopped", async () => {
  const tasks: Promise<void>[] = [];
  const lines: string[] = [];
  const ended: string[] = [];
  let may = true;
  const redrives = new Redrives({
    logger: new Logger({ prefix: "", level: LOG_LEVELS.info, write: (line) => lines.push(line) }),
    clock: new SystemClock(),
    // It waits for as long to be connected.
    connection: () => ({ dialTimeoutMs: 600_000 }),
    spawn: (run) => void tasks.push(run()),
    mayRedrive: () => may,
    onEnd: ({ id, state }) => ended.push(`${id} ${state}`),
  });
  const plan = {
    waiting: [],
    count: 5,
    sources: ["127.0.0.1:1"],
    targets: ["127.0.0.1:1"],
    nodes: [],
    failures: [],
  };
  const begin = (channel: string, count = 5) =>
    redrives.start(redriveOrder({ ...ORDER, channel }), { ...plan, count }, ME);

  assertThrows(() => begin("c0", 0), HttpError, "NOTHING_TO_REDRIVE");
  for (let i = 0; i < RUNNING_MAX; i++) begin(`c${i}`);
  assertThrows(() => begin("c0"), HttpError, "REDRIVE_RUNNING");
  assertThrows(() => begin("one more"), HttpError, "INVALID_CHANNEL");
  assertThrows(() => begin("more"), HttpError, "TOO_MANY_REDRIVES");
  assertThrows(() => redrives.cancel("99"), HttpError, "REDRIVE_NOT_FOUND");
  redrives.cancel("1");
  assertThrows(() => redrives.cancel("1"), HttpError, "REDRIVE_OVER");
  await tasks[0];
  redrives.review();
  begin("more");
  assertEquals(redrives.running.map(({ state }) => state), Array(RUNNING_MAX).fill("running"));
  may = false;
  redrives.review();
  await Promise.all(tasks);
  assertEquals(redrives.running, []);
  // It was lost after the request was looked at.
  assertEquals([begin("late").state, redrives.find("6")?.problem], [
    "revoked",
    "me may not redrive any more",
  ]);
  may = true;
  begin("last");
  await redrives.stop();
  await Promise.all(tasks);
  assertThrows(() => begin("c"), HttpError, "TOO_MANY_REDRIVES");

  assertEquals(redrives.newestFirst.map(({ id, state }) => [id, state]), [
    ["7", "stopped"],
    ["6", "revoked"],
    ["5", "revoked"],
    ["4", "revoked"],
    ["3", "revoked"],
    ["2", "revoked"],
    ["1", "canceled"],
  ]);
  assertEquals([ended.length, ended[0], ended.at(-1)], [7, "1 canceled", "7 stopped"]);
  assert(
    lines.some((line) => line.includes("revoked: 0 of 5 are published, 0 put back - me may not redrive")),
  );
});

Deno.test("Names say which topic holds the dead letters of which", () => {
  const suffixes = [".failed", ".dead", ".very.dead", ""];

  assertEquals(
    [
      "orders.failed",
      "orders.very.dead",
      "orders",
      ".failed",
      "orders.failed.dead",
      "orders.failed#ephemeral",
    ].map(
      (topic) => originOf(topic, suffixes),
    ),
    ["orders", "orders", undefined, undefined, "orders.failed", undefined],
  );
  assertEquals(deadLetterTopicsOf("orders", suffixes), ["orders.failed", "orders.dead", "orders.very.dead"]);
  assertEquals(deadLetterTopicsOf("x".repeat(60), [".dead", ".d"]), [`${"x".repeat(60)}.d`]);
});

Deno.test("A node is connected to where it says a host and a port, and nothing more", () => {
  const node = (broadcast_address: string) => infoNode({ broadcast_address, tcp_port: 4150 }, []);

  assertEquals(
    tcpAddressesOf(
      ["127.0.0.1", "::1", "h.example", "unix:/run/x", "ws://h", "http://h", "a b", ""].map(node),
    ),
    ["127.0.0.1:4150", "[::1]:4150", "h.example:4150"],
  );
});
