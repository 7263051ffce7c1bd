/**
 * One start of a program, measured: from the moment it is executed to the first answers.
 *
 * @module
 */

import { pub } from "../../tests/support/frames.ts";
import { RawClient } from "../../tests/support/frames_client.ts";
import { freePort } from "../../tests/support/ports.ts";

/** How long after a refused connection the next is tried, and an answer that is none yet asked for again, in ms. */
const RETRY_MS = 1;
/** What has not answered by then does not. */
const TIMEOUT_MS = 30_000;

/** What is started, with the words that stand for ports and a folder. */
export interface Program {
  readonly name: string;
  /** In these `%HTTP`, `%TCP` and `%DATA` are a port each, and a folder of its own. */
  readonly command: readonly string[];
}

/** What a start took, in ms; what the program does not have is missing. */
export interface StartTimes {
  /** From the execution to the first `/ping` that is answered with 200. */
  readonly pingMs: number;
  /** The processor's time of all its threads by then. */
  readonly cpuMs: number | undefined;
  /** From then on: connecting, and publishing the first message. */
  readonly pubMs?: number;
  /** From then on: connecting, subscribing, and having the message. */
  readonly subMs?: number;
}

/** Starts it, asks it, and ends it. @throws {Error} If it ends before, or does not answer. */
export async function startOnce({ name, command }: Program): Promise<StartTimes> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_startup_" });
  const [http, tcp] = [freePort(), freePort()];
  const words: Record<string, string> = { "%HTTP": String(http), "%TCP": String(tcp), "%DATA": folder };
  const [path, ...args] = command.map((word) => word.replace(/%[A-Z]+/, (key) => words[key] ?? key));
  const startMs = performance.now();
  const child = new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  let hasEnded = false;
  const ended = child.status.then(() => {
    hasEnded = true;
  });
  try {
    while (!await isAnswered(http)) {
      if (hasEnded) throw new Error(`${name} has ended`);
      if (performance.now() - startMs > TIMEOUT_MS) throw new Error(`${name} does not answer`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    const pingMs = performance.now() - startMs;
    const times = { pingMs, cpuMs: cpuMs(child.pid) };
    return command.some((word) => word.includes("%TCP")) ? { ...times, ...await firstMessage(tcp) } : times;
  } finally {
    if (!hasEnded) child.kill("SIGKILL");
    await ended;
    await Deno.remove(folder, { recursive: true });
  }
}

/** True when `/ping` is answered with 200. */
async function isAnswered(port: number): Promise<boolean> {
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
  using _ = connection;
  const buffer = new Uint8Array(64);
  await connection.write(new TextEncoder().encode("GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  const count = await connection.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, count)).startsWith("HTTP/1.1 200");
}

async function firstMessage(port: number): Promise<{ pubMs: number; subMs: number }> {
  const address = `127.0.0.1:${port}`;
  const beginMs = performance.now();
  using publisher = await RawClient.connect(address);
  const answer = await publisher.ask(pub("t", "x"));
  if (answer !== "OK") throw new Error(`PUB is answered with ${answer}`);
  const publishedMs = performance.now();
  using subscriber = await RawClient.connect(address);
  await subscriber.send("SUB t c\nRDY 1\n");
  await subscriber.answer();
  await subscriber.message();
  return { pubMs: publishedMs - beginMs, subMs: performance.now() - publishedMs };
}

/** The processor's time that all threads of a process have had; undefined where /proc does not tell. */
function cpuMs(pid: number): number | undefined {
  try {
    const threads = [...Deno.readDirSync(`/proc/${pid}/task`)];
    return threads.reduce((sum, { name }) => {
      const [ns] = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ");
      return sum + Number(ns) / 1e6;
    }, 0);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
