import { setImmediate } from "node:timers";
import { assertEquals } from "@std/assert";
import type { Broker, Commit } from "../../src/broker/broker.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { Turn, type TurnMember } from "../../src/nsqd/turn.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A turn whose broker and members only note what is asked of them. */
function noted(
  options: {
    failed?: ReadonlyMap<Topic, unknown>;
    pending?: ReadonlyMap<Topic, Promise<void>>;
    pump?: () => void;
    commit?: () => void;
  } = {},
) {
  const notes: string[] = [];
  const clock = new FakeClock();
  const turn = new Turn(clock, (error) => notes.push(`error: ${(error as Error).message}`));
  const broker = {
    commit: (): Commit => {
      notes.push("commit");
      options.commit?.();
      const { failed = new Map(), pending = new Map() } = options;
      return { failed, pending };
    },
    pump: () => {
      notes.push("pump");
      options.pump?.();
    },
  };
  turn.attach(broker as unknown as Broker);
  const member = (name: string): TurnMember => ({
    publishFailed: () => notes.push(`${name} failed`),
    publishKept: (pending) => {
      const topics = [...pending.keys()].map((topic) => topic.name);
      notes.push(topics.length === 0 ? `${name} kept` : `${name} waits for ${topics}`);
    },
    flush: () => notes.push(`${name} flush`),
  });
  return { turn, notes, member, clock };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("Turn commits, tells publishers, delivers and sends, in this order", async () => {
  const { turn, notes, member } = noted();
  const [a, b] = [member("a"), member("b")];

  turn.published(a);
  turn.hasOutput(a);
  turn.hasOutput(b);
  await nextTurn();

  assertEquals(notes, ["commit", "a kept", "pump", "a flush", "b flush"]);
});

Deno.test("Turn does its work once, whatever asks for it, and not before the turn ends", async () => {
  const { turn, notes, member } = noted();

  turn.schedule();
  turn.schedule();
  turn.hasOutput(member("a"));
  const early = [...notes];
  await nextTurn();
  await nextTurn();

  assertEquals(early, []);
  assertEquals(notes, ["commit", "pump", "a flush"]);
});

Deno.test("Turn tells the publishers when a topic could not keep its messages", async () => {
  const { turn, notes, member } = noted({ failed: new Map([[{} as Topic, new Error("disk full")]]) });

  turn.published(member("a"));
  await nextTurn();

  assertEquals(notes, ["commit", "a failed", "a kept", "pump"]);
});

Deno.test("Turn tells the publishers which topics are still to be synced, and waits for none", async () => {
  const topic = { name: "t" } as Topic;
  const { turn, notes, member } = noted({ pending: new Map([[topic, new Promise<void>(() => {})]]) });

  turn.published(member("a"));
  turn.hasOutput(member("b"));
  await nextTurn();

  assertEquals(notes, ["commit", "a waits for t", "pump", "b flush"]);
});

Deno.test("Turn does what came while it worked in the next turn", async () => {
  let more = true;
  const { turn, notes } = noted({
    pump: () => {
      if (more) turn.schedule();
      more = false;
    },
  });

  turn.schedule();
  await nextTurn();
  const first = [...notes];
  await nextTurn();

  assertEquals(first, ["commit", "pump"]);
  assertEquals(notes, ["commit", "pump", "commit", "pump"]);
});

Deno.test("Turn does what its commit has come to itself", async () => {
  const { turn, notes } = noted({ commit: () => turn.schedule() });

  turn.schedule();
  await nextTurn();
  await nextTurn();

  assertEquals(notes, ["commit", "pump"]);
});

Deno.test("Turn sends what its deliveries have put out itself", async () => {
  const { turn, notes, member } = noted({ pump: () => turn.hasOutput(member("a")) });

  turn.schedule();
  await nextTurn();
  await nextTurn();

  assertEquals(notes, ["commit", "pump", "a flush"]);
});

Deno.test("Turn has one time by each clock, and the next turn another", async () => {
  const { turn, clock } = noted();
  const times = () => ({ monotonicMs: turn.monotonicMs, timestamp: turn.timestamp });
  const begin = times();

  clock.advance(1);
  const later = times();
  await nextTurn();
  const next = times();

  assertEquals(later, begin);
  assertEquals(next, { monotonicMs: begin.monotonicMs + 1, timestamp: clock.timestamp() });
  await nextTurn();
});

Deno.test("Turn tells of a fault in its work instead of throwing where nobody catches", async () => {
  const { turn, notes } = noted({
    pump: () => {
      throw new Error("a message in no page");
    },
  });

  turn.schedule();
  await nextTurn();

  assertEquals(notes, ["commit", "pump", "error: a message in no page"]);
});

Deno.test("Turn.commit() tells those at once who have published so far, and them only", async () => {
  const { turn, notes, member } = noted();

  turn.published(member("a"));
  turn.commit();
  const early = [...notes];
  turn.published(member("b"));
  await nextTurn();

  assertEquals(early, ["commit", "a kept"]);
  assertEquals(notes, ["commit", "a kept", "commit", "b kept", "pump"]);
});

Deno.test("Turn.commit() does nothing when nobody has published", () => {
  const { turn, notes } = noted();

  turn.commit();

  assertEquals(notes, []);
});

Deno.test("Turn takes work again after one whose commit has a fault", async () => {
  let isFaulty = true;
  const { turn, notes, member } = noted({
    commit: () => {
      if (isFaulty) throw new Error("fault");
    },
  });

  turn.schedule();
  await nextTurn();
  isFaulty = false;
  turn.hasOutput(member("a"));
  await nextTurn();

  assertEquals(notes, ["commit", "error: fault", "commit", "pump", "a flush"]);
});
