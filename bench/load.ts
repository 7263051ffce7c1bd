/**
 * The load program: publishes to or consumes from an nsqd over TCP, any nsqd, and prints what came through,
 * how long it took and what it cost. It measures a server from outside and never looks into it.
 *
 * @module
 */

import { startNsqd } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { describeLoad } from "./load_report.ts";
import { type LoadOptions, runLoad } from "./load_run.ts";

const USAGE = `usage: deno run -A bench/load.ts [flags]

which server
  --server 'COMMAND'       start it for the run and stop it afterwards (default: this project's nsqd)
  --address HOST:PORT      use one that runs already; with --pid N its usage is read, too
what flows
  --mode pub|sub|e2e       publish; fill, then consume; or both at once with end-to-end latency (pub)
  --topic NAME --channel NAME
  --size BYTES             of a body (200)
  --batch N                messages in a command: 1 is PUB, more is MPUB (200)
  --window N               unanswered commands of a publishing connection (8)
  --rate N                 messages a second of all publishers (as fast as possible)
  --writers N --readers N  connections (2, 2)
  --rdy N                  of each consumer (2500)
  --output-buffer-size BYTES --output-buffer-timeout DURATION
                           what connections ask for (the server's defaults; -1 bytes: unbuffered)
how long
  --messages N             end when so many are through (mode sub: 1000000)
  --duration 5s            else end after this (5s)
  --warmup 1s              not measured (1s, with --messages 0s)
--json prints the result as one line of JSON.`;

const VALUES = [
  ...["server", "address", "pid", "mode", "topic", "channel", "size", "batch", "window", "rate", "writers"],
  ...["readers", "rdy", "output-buffer-size", "output-buffer-timeout", "messages", "duration", "warmup"],
];

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: VALUES, switches: ["json"] });
  const options = readOptions(flags);
  const address = flags.text("address");
  const result = address
    ? await runLoad({ ...options, tcpAddress: address, pid: flags.count("pid") })
    : await runWithServer(options, flags.text("server")?.trim().split(/\s+/));
  console.log(flags.isSet("json") ? JSON.stringify(result) : describeLoad(options, result));
}

async function runWithServer(options: Omit<LoadOptions, "tcpAddress">, command: string[] | undefined) {
  await using nsqd = await startNsqd({ ...command && { command } });
  const result = await nsqd.run(() => runLoad({ ...options, tcpAddress: nsqd.tcpAddress, pid: nsqd.pid }));
  // A graceful stop would save millions of messages that nobody wants.
  await nsqd.kill();
  return result;
}

function readOptions(flags: Flags): Omit<LoadOptions, "tcpAddress"> {
  const mode = flags.choice("mode", ["pub", "sub", "e2e"]) ?? "pub";
  const counted = flags.count("messages");
  const messages = counted ?? (mode === "sub" && !flags.text("duration") ? 1_000_000 : undefined);
  const sizeBytes = flags.count("size") ?? 200;
  if (sizeBytes < (mode === "e2e" ? 8 : 1)) flags.refuse("--size is too small, a timestamp takes 8 bytes");
  return {
    mode,
    topic: flags.text("topic") ?? "load",
    channel: flags.text("channel") ?? "load",
    writers: flags.count("writers") ?? 2,
    readers: flags.count("readers") ?? 2,
    sizeBytes,
    batch: Math.max(1, flags.count("batch") ?? 200),
    window: Math.max(1, flags.count("window") ?? 8),
    rdy: flags.count("rdy") ?? 2500,
    rate: flags.count("rate"),
    outputBufferSize: flags.countOrOff("output-buffer-size"),
    outputBufferTimeoutMs: flags.durationMs("output-buffer-timeout"),
    messages,
    durationMs: flags.durationMs("duration") ?? 5000,
    warmupMs: flags.durationMs("warmup") ?? (messages === undefined ? 1000 : 0),
  };
}
