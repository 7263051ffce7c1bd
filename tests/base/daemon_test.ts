import { assertEquals } from "@std/assert";
import { type Daemon, runDaemon } from "../../src/base/daemon.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";

/** A daemon that notes what is asked of it. */
class TestDaemon implements Daemon {
  readonly calls: string[] = [];
  readonly #failed = Promise.withResolvers<Error>();
  readonly #start: (daemon: TestDaemon) => void;

  constructor(start: (daemon: TestDaemon) => void) {
    this.#start = start;
  }

  start(): void {
    this.calls.push("start");
    this.#start(this);
  }

  /** Has nothing more to do when the test says so. */
  readonly done = Promise.withResolvers<void>();

  get finished(): Promise<void> {
    return this.done.promise;
  }

  finish(): Promise<void> {
    this.calls.push("finish");
    return Promise.resolve();
  }

  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  fail(task: string, error: unknown): void {
    this.calls.push(`fail ${task}`);
    this.#failed.resolve(new Error(`${task}: ${error instanceof Error ? error.message : error}`));
  }

  reload(): void {
    this.calls.push("reload");
  }

  stop(): Promise<void> {
    this.calls.push("stop");
    return Promise.resolve();
  }
}

/** Runs a daemon to its end. */
async function run(start: (daemon: TestDaemon) => void) {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
  const daemon = new TestDaemon(start);
  const code = await runDaemon("testd", logger, () => daemon);
  return { code, lines, calls: daemon.calls };
}

Deno.test("runDaemon() ends with 1 and one line when the daemon cannot start", async () => {
  const outcome = await run(() => {
    throw new Error("the port is taken");
  });

  assertEquals(outcome, {
    code: 1,
    lines: ["FATAL: failed to start testd - the port is taken"],
    calls: ["start"],
  });
});

Deno.test("runDaemon() ends with 1 and one line when there can be no daemon", async () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });

  const code = await runDaemon("testd", logger, () => {
    throw new Error("no tokens");
  });

  assertEquals([code, ...lines], [1, "FATAL: failed to start testd - no tokens"]);
});

Deno.test("runDaemon() stops a daemon of which a task has failed, and ends with 1", async () => {
  const outcome = await run((daemon) => daemon.fail("loop", new Error("a mistake")));

  assertEquals(outcome, {
    code: 1,
    lines: ["FATAL: loop: a mistake"],
    calls: ["start", "fail loop", "stop"],
  });
});

Deno.test("runDaemon() stops a daemon in order when something throws outside of its tasks", async () => {
  const outcome = await run(() => {
    setTimeout(() => {
      throw new Error("a mistake");
    });
  });

  assertEquals(outcome, {
    code: 1,
    lines: ["FATAL: uncaught: a mistake"],
    calls: ["start", "fail uncaught", "stop"],
  });
});

Deno.test("runDaemon() stops a daemon in order when a promise is rejected that nobody waits for", async () => {
  const outcome = await run(() => {
    setTimeout(() => void Promise.reject(new Error("a mistake")));
  });

  assertEquals(outcome.calls, ["start", "fail uncaught", "stop"]);
});

Deno.test("runDaemon() ends with 1 and a line when the daemon does not stop within its limit", async () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
  const daemon = new TestDaemon((daemon) => daemon.fail("loop", "broken"));
  const hanging = Object.assign(daemon, { stop: () => new Promise<void>(() => {}), stopLimitMs: 10 });

  const code = await runDaemon("testd", logger, () => hanging);

  assertEquals(code, 1);
  assertEquals(lines, ["FATAL: loop: broken", "ERROR: not stopped in order within 10ms: ends all the same"]);
});

Deno.test("runDaemon() ends as ever when the daemon stops within its limit", async () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
  const daemon = new TestDaemon((daemon) => daemon.fail("loop", "broken"));
  const limited = Object.assign(daemon, { stopLimitMs: 60_000 });

  const code = await runDaemon("testd", logger, () => limited);

  assertEquals([code, lines, daemon.calls], [1, ["FATAL: loop: broken"], ["start", "fail loop", "stop"]]);
});

Deno.test("runDaemon() stops a daemon that has nothing more to do, and ends with 0", async () => {
  const outcome = await run((daemon) => daemon.done.resolve());

  assertEquals(outcome, { code: 0, lines: [], calls: ["start", "finish", "stop"] });
});

Deno.test("runDaemon() stops a daemon of which a task fails while it finishes, and ends with 1", async () => {
  const outcome = await run((daemon) => {
    daemon.finish = () => {
      daemon.calls.push("finish");
      daemon.fail("loop", new Error("a mistake"));
      return new Promise(() => {});
    };
    daemon.done.resolve();
  });

  assertEquals(outcome, {
    code: 1,
    lines: ["FATAL: loop: a mistake"],
    calls: ["start", "finish", "fail loop", "stop"],
  });
});
