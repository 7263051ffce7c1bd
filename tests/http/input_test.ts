import { assertEquals } from "@std/assert";
import type { FairShare } from "../../src/base/fair_share.ts";
import type { Connection } from "../../src/net/connection.ts";
import { BodyBudget } from "../../src/http/body_budget.ts";
import { HttpInput } from "../../src/http/input.ts";
import { bytesOf } from "../support/frames.ts";

const HEAD = "GET / HTTP/1.1\r\n\r\n";

/** How many heads are taken before a turn is waited for, of a client whose reads bring so many at a time. */
async function headsInTurn(headsPerRead: number): Promise<number> {
  let turns = 0;
  const share = { turn: () => Promise.resolve(void turns++) } as unknown as FairShare;
  const connection = {
    peer: "peer",
    read(buffer: Uint8Array) {
      const bytes = bytesOf(HEAD.repeat(headsPerRead));
      buffer.set(bytes);
      return Promise.resolve(bytes.length);
    },
  } as Partial<Connection> as Connection;
  const input = new HttpInput(connection, new BodyBudget(0), share);
  const { now } = performance;
  // After a while without a turn, what was done is forgotten: time stands still.
  performance.now = () => 1;
  try {
    for (; turns < 1;) await input.head(() => {});
    let heads = 0;
    for (; turns < 2; heads++) await input.head(() => {});
    return heads;
  } finally {
    performance.now = now;
  }
}

Deno.test("HttpInput.head() waits for a turn after four requests that were sent ahead", async () => {
  assertEquals(await headsInTurn(100), 4);
});

Deno.test("HttpInput.head() lets a client that waits for each answer make nearly four times as many", async () => {
  // Their bytes count, too.
  assertEquals(await headsInTurn(1), 15);
});
