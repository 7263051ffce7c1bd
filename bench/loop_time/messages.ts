/**
 * Looking at messages of nsqd, and acting on one, beside a backlog that is mostly on disk and many that are deferred: whatever is
 * searched for, and however.
 *
 * @module
 */

import type { LoopCase } from "./loop_case.ts";
import { request } from "./wire.ts";

const MIB = 1024 * 1024;
const KIB = 1024;
const BACKLOG = "loop_time_backlog";
const LONG = "loop_time_long";
const WAITING = 500_000;
const DEFERRED = 20_000;
const AT_ONCE = 50_000;
/** What it costs to search for is long, and it is nowhere. */
const PATTERNS = ["[a-w]*[0-9]y", "(?:[a-w]?){40}[0-9]", "((((((((.*)*)*)*)*)*)*)*)[0-9]"];

/** The cases; making what they need takes a while. */
export async function messageCases(address: string): Promise<LoopCase[]> {
  const get = (name: string, query: string): LoopCase => ({
    name: `GET /messages, ${name}`,
    play: () => request(address, "GET", `/messages?channel=c&time=2s&${query}`),
  });
  await makeMessages(address);
  const bySearch = (where: string, query: string) => [
    get(`a text in ${where}`, `${query}&contains=${"x".repeat(255)}y`),
    ...PATTERNS.map((pattern) =>
      get(`pattern ${pattern} in ${where}`, `${query}&regex=${encodeURIComponent(pattern)}`)
    ),
    get(`a path in ${where}`, `${query}&path=$.*.*&value=x`),
  ];
  const act = (action: string): LoopCase => {
    let id = "";
    return {
      name: `POST /message/${action}, of ${WAITING} that wait`,
      async prepare() {
        const url = `http://${address}/messages?topic=${BACKLOG}&channel=c&max=1000&body=0`;
        const { messages } = await (await fetch(url)).json();
        id = messages[500].id;
      },
      play: () => request(address, "POST", `/message/${action}?topic=${BACKLOG}&channel=c&id=${id}`),
    };
  };
  return [
    get("1000 of a backlog", `topic=${BACKLOG}&max=1000&body=65536`),
    get(`none of ${WAITING} in flight`, `topic=${BACKLOG}&state=in_flight`),
    get(`the first of ${DEFERRED} parked behind ${WAITING}`, `topic=${BACKLOG}&state=parked&max=1000`),
    ...bySearch(`${WAITING} messages`, `topic=${BACKLOG}`),
    get("20 of 1 MiB, whole as far as shown", `topic=${LONG}&body=65536`),
    ...bySearch("bodies of 1 MiB, and the longest JSON", `topic=${LONG}`),
    act("requeue"),
    act("delete"),
  ];
}

async function makeMessages(address: string): Promise<void> {
  for (const topic of [BACKLOG, LONG]) {
    await request(address, "POST", `/topic/create?topic=${topic}`);
    await request(address, "POST", `/channel/create?topic=${topic}&channel=c`);
  }
  const lines = `{"order":{"id":"abc"},"note":"${"n".repeat(20)}"}\n`.repeat(AT_ONCE);
  for (let made = 0; made < WAITING; made += AT_ONCE) {
    await request(address, "POST", `/mpub?topic=${BACKLOG}`, lines);
  }
  for (let made = 0; made < DEFERRED; made += 100) {
    const publish = () => request(address, "POST", `/pub?topic=${BACKLOG}&defer=3600000`, "x".repeat(100));
    await Promise.all(Array.from({ length: 100 }, publish));
  }
  const depth = 64 * KIB;
  for (let i = 0; i < 20; i++) {
    await request(address, "POST", `/pub?topic=${LONG}`, "x".repeat(MIB));
    await request(address, "POST", `/pub?topic=${LONG}`, "[".repeat(depth) + "]".repeat(depth));
    await request(address, "POST", `/pub?topic=${LONG}`, `[${"{},".repeat(43_000)}1]`);
  }
}
