/**
 * The servers that `peers.ts` measures: how each is started, on a port and in a folder of its own, and when it is ready.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { MissingError } from "../../tests/support/interop.ts";
import { startNsqd, type StartNsqdOptions } from "../../tests/support/nsqd_process.ts";
import { freePort } from "../../tests/support/ports.ts";

/** A server that runs. */
export interface Peer extends AsyncDisposable {
  readonly address: string;
  readonly pid: number;
}

/** Starts a server. Rejects with a {@linkcode MissingError} where it is not installed. */
export type StartPeer = () => Promise<Peer>;

/** How long a server may take until it listens. */
const START_TIMEOUT_MS = 10_000;
const RETRY_MS = 20;

/** An nsqd; by default this project's. */
export function nsqd(options: StartNsqdOptions & { readonly http?: boolean } = {}): StartPeer {
  return async () => {
    const started = await startNsqd(options);
    const address = options.http ? started.httpAddress : started.tcpAddress;
    return { address, pid: started.pid, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
  };
}

/** `echo.ts`. */
export function echo(...args: string[]): StartPeer {
  const program = fileURLToPath(new URL("./echo.ts", import.meta.url));
  return async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", program, ...args],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    for await (const line of child.stdout.pipeThrough(new TextDecoderStream())) {
      return peerOf(child, `127.0.0.1:${line.trim()}`);
    }
    throw new Error("echo.ts has ended");
  };
}

/** Redis; `--appendonly no` keeps all in memory. */
export function redis(...args: string[]): StartPeer {
  return started("redis-server", (port, folder) => {
    return ["--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...args];
  });
}

/** beanstalkd; without a log all is in memory. */
export function beanstalkd(options: { readonly isSynced?: boolean } = {}): StartPeer {
  return started("beanstalkd", (port, folder) => {
    return ["-l", "127.0.0.1", "-p", port, ...options.isSynced ? ["-b", folder, "-f", "0"] : []];
  });
}

/** NATS with JetStream; with `isSynced` each message is synced to the disk, which it can from 2.10 on, and else does not start. */
export function nats(options: { readonly isSynced?: boolean } = {}): StartPeer {
  return started("nats-server", (port, folder) => {
    const config = `${folder}/nats.conf`;
    const interval = options.isSynced ? "sync_interval: always" : "";
    Deno.writeTextFileSync(
      config,
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}" ${interval} }\n`,
    );
    return ["-c", config];
  });
}

/** Starts a program that is told its port, and waits until it accepts connections. */
function started(program: string, argsOf: (port: string, folder: string) => string[]): StartPeer {
  return async () => {
    const folder = await Deno.makeTempDir({ prefix: "denosq_peer_" });
    try {
      const port = freePort();
      const args = argsOf(String(port), folder);
      const child = spawn(program, args);
      await listening(port, child);
      return peerOf(child, `127.0.0.1:${port}`, folder);
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  };
}

function spawn(program: string, args: readonly string[]): Deno.ChildProcess {
  try {
    return new Deno.Command(program, { args: [...args], stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingError(program);
    throw error;
  }
}

function peerOf(child: Deno.ChildProcess, address: string, folder?: string): Peer {
  return {
    address,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It has ended by itself.
        if (!(error instanceof TypeError)) throw error;
      }
      await child.status;
      if (folder !== undefined) await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Waits until the program accepts connections. */
async function listening(port: number, child: Deno.ChildProcess): Promise<void> {
  let hasEnded = false;
  const ended = child.status.then(() => hasEnded = true);
  const endMs = performance.now() + START_TIMEOUT_MS;
  while (!hasEnded && performance.now() < endMs) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  if (hasEnded) throw new Error("it does not start");
  child.kill("SIGKILL");
  await ended;
  throw new Error(`nothing listens on port ${port}`);
}
