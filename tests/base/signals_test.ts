import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { AGAIN_AFTER_MS, IMPATIENT_AFTER_MS, Signals, type SignalWorld } from "../../src/base/signals.ts";
import { settle } from "../support/settle.ts";

/** A process that gets signals from a test. */
class TestProcess implements SignalWorld {
  readonly listeners = new Map<Deno.Signal, () => void>();
  readonly lines: string[] = [];
  readonly events: string[] = [];
  terminal: boolean;
  nowMs = 1000;

  constructor({ terminal }: { readonly terminal: boolean }) {
    this.terminal = terminal;
  }

  readonly listen = (signal: Deno.Signal, listener: () => void) => void this.listeners.set(signal, listener);
  readonly unlisten = (signal: Deno.Signal) => void this.listeners.delete(signal);
  readonly hasTerminal = () => this.terminal;
  readonly monotonicMs = () => this.nowMs;
  readonly exit = (code: number) => void this.events.push(`exit ${code}`);

  /** Signals that say what they do in `events`. */
  signals(): Signals {
    const write = (line: string) => this.lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
    const signals = new Signals(new Logger({ prefix: "", level: LOG_LEVELS.info, write }), this);
    signals.reload = () => this.events.push("reload");
    void signals.stop.then(() => this.events.push("stop"));
    return signals;
  }

  /** Gets a signal, after so much more time. */
  async get(signal: Deno.Signal, { afterMs = 0 }: { readonly afterMs?: number } = {}): Promise<void> {
    this.nowMs += afterMs;
    this.listeners.get(signal)?.();
    await settle();
  }
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`Signals.stop settles with the first ${signal}, and more of them change nothing`, async () => {
    const process = new TestProcess({ terminal: false });
    using _signals = process.signals();

    await process.get(signal);
    await process.get(signal, { afterMs: 10 });
    await process.get(signal, { afterMs: 60_000 });

    assertEquals(process.events, ["stop"]);
    assertEquals(process.lines, []);
  });
}

Deno.test("A SIGINT on a terminal ends at once from some seconds after the first one on, with a line before it", async () => {
  const process = new TestProcess({ terminal: true });
  using _signals = process.signals();

  await process.get("SIGINT");
  await process.get("SIGINT", { afterMs: IMPATIENT_AFTER_MS - 1 });
  assertEquals(process.events, ["stop"]);
  await process.get("SIGINT", { afterMs: 1 });

  assertEquals(process.events, ["stop", "exit 1"]);
  assertEquals(process.lines, [
    "INFO: still stopping; SIGINT 3s after the first one ends at once, without saving",
    "FATAL: SIGINT again: ends at once, without saving",
  ]);
});

Deno.test("A SIGTERM is no first SIGINT", async () => {
  const process = new TestProcess({ terminal: true });
  using _signals = process.signals();

  await process.get("SIGTERM");
  await process.get("SIGINT", { afterMs: 60_000 });
  await process.get("SIGTERM", { afterMs: 60_000 });

  assertEquals(process.events, ["stop"]);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`Signals.expectAnother() settles with the next ${signal}, if that does not come with the first`, async () => {
    const process = new TestProcess({ terminal: true });
    using signals = process.signals();

    await process.get(signal);
    void signals.expectAnother().then(() => process.events.push("again"));
    await process.get(signal, { afterMs: AGAIN_AFTER_MS - 1 });
    assertEquals(process.events, ["stop"]);
    await process.get(signal, { afterMs: 1 });

    assertEquals(process.events, ["stop", "again"]);
  });
}

Deno.test("A SIGINT on a terminal ends nothing at once before the daemon stops, and from some seconds later on", async () => {
  const process = new TestProcess({ terminal: true });
  using signals = process.signals();

  await process.get("SIGINT");
  void signals.expectAnother().then(() => process.events.push("again"));
  await process.get("SIGINT", { afterMs: IMPATIENT_AFTER_MS });
  signals.expectNoMore();
  await process.get("SIGINT", { afterMs: IMPATIENT_AFTER_MS - 1 });
  assertEquals(process.events, ["stop", "again"]);
  await process.get("SIGINT", { afterMs: 1 });

  assertEquals(process.events, ["stop", "again", "exit 1"]);
});

for (const terminal of [true, false]) {
  Deno.test(`SIGHUP reloads ${terminal ? "on a terminal that is still there" : "where there never was a terminal"}`, async () => {
    const process = new TestProcess({ terminal });
    using _signals = process.signals();

    await process.get("SIGHUP");
    await process.get("SIGHUP");

    assertEquals(process.events, ["reload", "reload"]);
  });
}

Deno.test("SIGHUP stops in order when the terminal is gone", async () => {
  const process = new TestProcess({ terminal: true });
  using _signals = process.signals();

  process.terminal = false;
  await process.get("SIGHUP");
  await process.get("SIGHUP");

  assertEquals(process.events, ["stop"]);
  assertEquals(process.lines, ["INFO: the terminal is gone: stopping"]);
});

Deno.test("SIGHUP changes nothing any more while stopping", async () => {
  const process = new TestProcess({ terminal: false });
  using _signals = process.signals();

  await process.get("SIGTERM");
  await process.get("SIGHUP");

  assertEquals(process.events, ["stop"]);
});

Deno.test("A SIGHUP that comes before there is anything to reload is not lost", async () => {
  const process = new TestProcess({ terminal: false });
  const write = () => {};
  using signals = new Signals(new Logger({ prefix: "", level: LOG_LEVELS.info, write }), process);

  await process.get("SIGHUP");
  signals.reload = () => process.events.push("reload");

  assertEquals(process.events, ["reload"]);
});

Deno.test("A reload that fails is a line of the log", async () => {
  const process = new TestProcess({ terminal: false });
  using signals = process.signals();
  signals.reload = () => {
    throw new Error("no such file");
  };

  await process.get("SIGHUP");

  assertEquals(process.lines, ["ERROR: failed to reload - no such file"]);
});

Deno.test("Signals that Go's programs pass over do nothing", async () => {
  const process = new TestProcess({ terminal: true });
  using _signals = process.signals();
  const others = [...process.listeners.keys()].filter((signal) => !/^SIG(TERM|INT|HUP)$/.test(signal));

  for (const signal of others) await process.get(signal);

  assertEquals(process.events, []);
  assertEquals(others, [
    "SIGUSR1",
    "SIGUSR2",
    "SIGALRM",
    "SIGVTALRM",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGIO",
    "SIGPWR",
  ]);
});

Deno.test("Signals listens to nothing any more once it is disposed of", () => {
  const process = new TestProcess({ terminal: true });

  process.signals()[Symbol.dispose]();

  assertEquals([...process.listeners.keys()], []);
});

Deno.test("Signals does without those that a system does not have, and says so in a line", async () => {
  const process = new TestProcess({ terminal: false });
  const { listen } = process;
  const windows = Object.assign(process, {
    listen: (signal: Deno.Signal, listener: () => void) => {
      if (signal !== "SIGINT") throw new TypeError(`Windows has no ${signal}`);
      listen(signal, listener);
    },
  });
  using _signals = windows.signals();

  await windows.get("SIGINT");

  assertEquals(windows.events, ["stop"]);
  assertEquals(windows.lines, ["INFO: without SIGTERM, SIGHUP, which this system does not have"]);
});
