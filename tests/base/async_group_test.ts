import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { AsyncGroup, TaskError, TasksStillRunningError } from "../../src/base/async_group.ts";

/** Runs until the group is told to end. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

Deno.test("AsyncGroup.running names the tasks that have not settled, in the order they were spawned", async () => {
  const group = new AsyncGroup();
  const second = Promise.withResolvers<void>();

  group.spawn("first", untilAborted);
  group.spawn("second", () => second.promise);
  group.spawn("third", untilAborted);
  const before = group.running;
  second.resolve();
  await second.promise;
  await Promise.resolve().then(() => {}).then(() => {});

  assertEquals(before, ["first", "second", "third"]);
  await group.stop();
  assertEquals(group.running, []);
});

Deno.test("AsyncGroup.running names two tasks of one name twice", async () => {
  await using group = new AsyncGroup();

  group.spawn("connection", untilAborted);
  group.spawn("connection", untilAborted);

  assertEquals(group.running, ["connection", "connection"]);
});

Deno.test("AsyncGroup.spawn() takes a task that ends at once", async () => {
  const group = new AsyncGroup();
  let ran = false;

  group.spawn("short", () => {
    ran = true;
  });
  await group.wait();

  assert(ran);
  assertEquals(group.signal.aborted, false);
});

Deno.test("AsyncGroup.failed settles with the first failure, named and with its cause", async () => {
  const group = new AsyncGroup();
  const cause = new RangeError("disk on fire");

  group.spawn("scanLoop", () => Promise.reject(cause));
  const failure = await group.failed;

  assertInstanceOf(failure, TaskError);
  assertEquals(failure.message, 'Task "scanLoop" failed: disk on fire');
  assertEquals(failure.task, "scanLoop");
  assertStrictEquals(failure.cause, cause);
  await assertRejects(() => group.wait(), TaskError, "scanLoop");
});

Deno.test("AsyncGroup.spawn() takes a synchronous throw for a failure of the task", async () => {
  const group = new AsyncGroup();

  group.spawn("listener", () => {
    throw new Error("port in use");
  });

  await assertRejects(() => group.wait(), TaskError, 'Task "listener" failed: port in use');
});

Deno.test("AsyncGroup aborts the other tasks when one fails, with the failure as reason", async () => {
  const group = new AsyncGroup();
  let ended = false;

  group.spawn("other", async (signal) => {
    await untilAborted(signal);
    ended = true;
  });
  group.spawn("bad", () => Promise.reject(new Error("no")));
  await assertRejects(() => group.wait(), TaskError, 'Task "bad" failed: no');

  assert(ended);
  assertInstanceOf(group.signal.reason, TaskError);
});

Deno.test("AsyncGroup reports the first of two failures", async () => {
  const group = new AsyncGroup();

  group.spawn("first", () => Promise.reject(new Error("1")));
  group.spawn("second", async (signal) => {
    await untilAborted(signal);
    throw new Error("2");
  });

  await assertRejects(() => group.wait(), TaskError, 'Task "first" failed: 1');
  assertEquals((await group.failed).task, "first");
});

Deno.test("AsyncGroup.wait() throws the failure only after every task has settled", async () => {
  const group = new AsyncGroup();
  const slow = Promise.withResolvers<void>();
  let waited = false;

  group.spawn("slow", () => slow.promise);
  group.spawn("bad", () => Promise.reject(new Error("no")));
  const waiting = assertRejects(() => group.wait(), TaskError).then(() => waited = true);
  await group.failed;
  const early = waited;
  slow.resolve();
  await waiting;

  assertEquals(early, false);
  assert(waited);
});

Deno.test("AsyncGroup.wait() waits for tasks that were spawned while it waits", async () => {
  const group = new AsyncGroup();
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const order: string[] = [];

  group.spawn("parent", async () => {
    await first.promise;
    group.spawn("child", async () => {
      await second.promise;
      order.push("child");
    });
  });
  const waiting = group.wait().then(() => order.push("wait"));
  first.resolve();
  second.resolve();
  await waiting;

  assertEquals(order, ["child", "wait"]);
});

Deno.test("AsyncGroup.wait() settles at once when there is no task", async () => {
  await new AsyncGroup().wait();
});

Deno.test("AsyncGroup.wait() names the tasks that still run when the time is over", async () => {
  const group = new AsyncGroup();
  const never = Promise.withResolvers<void>();

  group.spawn("tcpServer", untilAborted);
  group.spawn("connection 127.0.0.1:5001", () => never.promise);
  const error = await assertRejects(() => group.stop({ timeoutMs: 1 }), TasksStillRunningError);

  assertEquals(error.message, "Tasks still running after 1 ms: connection 127.0.0.1:5001");
  assertEquals(error.running, ["connection 127.0.0.1:5001"]);
  never.resolve();
  await group.wait();
});

Deno.test("AsyncGroup.abort() gives the tasks its reason", async () => {
  const group = new AsyncGroup();
  let reason: unknown;

  group.spawn("loop", async (signal) => {
    await untilAborted(signal);
    reason = signal.reason;
  });
  group.abort("enough");
  await group.wait();

  assertEquals(reason, "enough");
});

Deno.test("AsyncGroup ends and awaits its tasks when it is disposed of", async () => {
  const order: string[] = [];
  {
    await using group = new AsyncGroup();
    group.spawn("loop", async (signal) => {
      await untilAborted(signal);
      order.push("loop ended");
    });
    order.push("scope ends");
  }
  order.push("after");

  assertEquals(order, ["scope ends", "loop ended", "after"]);
});

Deno.test("AsyncGroup throws the failure of a task when it is disposed of", async () => {
  await assertRejects(
    async () => {
      await using group = new AsyncGroup();
      group.spawn("bad", () => Promise.reject(new Error("no")));
      await group.failed;
    },
    TaskError,
    'Task "bad" failed: no',
  );
});
