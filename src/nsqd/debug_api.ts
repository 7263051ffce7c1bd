/**
 * The debug pages, at the paths of Go's net/http/pprof, as far as this runtime has an answer to them: the use of
 * memory, running tasks, a profile of the processor. Where it has none, the page says so.
 *
 * @module
 */
import { Session } from "node:inspector/promises";
import v8 from "node:v8";
import { log, plainText } from "../http/decorators.ts";
import { HttpError } from "../http/http_error.ts";
import type { RequestContext } from "../http/request_context.ts";
import { type Endpoint, endpoint } from "./http_guard.ts";
import { paramsOf } from "./http_params.ts";
import type { HttpApiContext } from "./http_api_context.ts";

/** How long a profile is taken when the request does not say, in seconds. */
const PROFILE_TIME_S = 30;
/** The longest that can be asked for, in seconds. */
const PROFILE_TIME_MAX_S = 300;

const NO_BLOCK_PROFILE = "There is no profile of blocking in this runtime.\n";
const NO_THREAD_PROFILE = "There is no profile of threads in this runtime.\n";

const PAGES = [
  "cmdline       arguments of this process",
  "heap          use of memory, as JSON",
  "goroutine     names of the running tasks",
  "profile       profile of the processor, to be opened in a browser's developer tools; ?seconds=30",
  "block         not available in this runtime",
  "threadcreate  not available in this runtime",
  "symbol        no symbols",
];

/** The debug endpoints. Only the last two are logged, as in NSQ. */
export function debugEndpoints(nsqd: HttpApiContext): Endpoint[] {
  const logged = log(nsqd.logger);
  return [
    endpoint("read", "GET", "/debug/pprof/", plainText(index)),
    endpoint("read", "GET", "/debug/pprof/cmdline", plainText(commandLine)),
    endpoint("read", "GET", "/debug/pprof/symbol", plainText(symbol)),
    endpoint("read", "POST", "/debug/pprof/symbol", plainText(symbol)),
    endpoint("read", "GET", "/debug/pprof/profile", plainText((request) => profile(nsqd, request))),
    endpoint("read", "GET", "/debug/pprof/heap", plainText(heap)),
    endpoint("read", "GET", "/debug/pprof/goroutine", plainText(() => tasks(nsqd))),
    endpoint("read", "GET", "/debug/pprof/block", plainText(() => NO_BLOCK_PROFILE)),
    endpoint("read", "GET", "/debug/pprof/threadcreate", plainText(() => NO_THREAD_PROFILE)),
    endpoint(
      "admin",
      "PUT",
      "/debug/setblockrate",
      plainText(logged((request) => setBlockRate(nsqd, request))),
    ),
    endpoint("admin", "POST", "/debug/freememory", plainText(logged(freeMemory))),
  ];
}

function index(): string {
  return PAGES.join("\n") + "\n";
}

function commandLine(): string {
  return ["denosq", ...Deno.args].join("\0");
}

function symbol(): string {
  return "num_symbols: 0\n";
}

function heap(): string {
  const use = { memory: Deno.memoryUsage(), heap: v8.getHeapStatistics() };
  return JSON.stringify(use, null, 2) + "\n";
}

function tasks(nsqd: HttpApiContext): string {
  const names = nsqd.runningTasks();
  return [`tasks: ${names.length}`, ...names].join("\n") + "\n";
}

/** A profile of the processor in the form of V8's `.cpuprofile` files; Go's differ. */
async function profile(nsqd: HttpApiContext, request: RequestContext): Promise<string> {
  const asked = Number(paramsOf(nsqd, request).get("seconds"));
  const timeS = Number.isInteger(asked) && asked > 0 ? Math.min(asked, PROFILE_TIME_MAX_S) : PROFILE_TIME_S;
  const session = new Session();
  try {
    session.connect();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    throw new HttpError(501, `cannot take a profile - ${cause.message}`, { cause });
  }
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await elapse(timeS * 1000, request.request.signal);
    const { profile } = await session.post("Profiler.stop");
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

/** Waits, but not longer than the client does. */
async function elapse(timeMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeMs);
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await promise;
  clearTimeout(timer);
}

/** The rate is checked as in Go, and then of no use. Differs from NSQ, which answers 500. */
function setBlockRate(nsqd: HttpApiContext, request: RequestContext): string {
  const text = paramsOf(nsqd, request).get("rate") ?? "";
  const refuse = (problem: string) => {
    const cause = `strconv.Atoi: parsing ${JSON.stringify(text)}: ${problem}`;
    return new HttpError(400, `invalid block rate : ${cause}`);
  };
  if (!/^[-+]?\d+$/.test(text)) throw refuse("invalid syntax");
  const rate = BigInt(text.replace("+", ""));
  if (rate !== BigInt.asIntN(64, rate)) throw refuse("value out of range");
  return NO_BLOCK_PROFILE;
}

/** Differs from NSQ, which does it and answers 500. */
function freeMemory(): string {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) return "The collector cannot be called; start with --v8-flags=--expose-gc.\n";
  gc();
  return "";
}
