/**
 * The debug pages, at the paths of Go's net/http/pprof, as far as this runtime has an answer to them: the use of
 * memory, running tasks, a profile of the processor. Where it has none, the page says so.
 *
 * @module
 */
import { hideCredentials } from "../base/credentials.ts";
import { plainText } from "./decorators.ts";
import { HttpError } from "./http_error.ts";
import type { RequestContext } from "./request_context.ts";
import { requestParams } from "./request_params.ts";
import { route } from "./route_table.ts";
import type { HttpRoute } from "./router.ts";

/** What {@linkcode debugPages} needs of a program. */
export interface DebugPagesOptions {
  /** Path of the list of pages: programs of NSQ differ in the slash at its end. */
  readonly indexPath: "/debug/pprof" | "/debug/pprof/";
  /** Names of the tasks that run. */
  readonly runningTasks: () => readonly string[];
}

/** How long a profile is taken when the request does not say, in seconds. */
const PROFILE_TIME_S = 30;
/** The longest that can be asked for, in seconds. */
const PROFILE_TIME_MAX_S = 300;

/** What the page of a profile of blocking says. */
export const NO_BLOCK_PROFILE = "There is no profile of blocking in this runtime.\n";
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

/** The pages. They leave no line in the log, as in NSQ. */
export function debugPages({ indexPath, runningTasks }: DebugPagesOptions): HttpRoute[] {
  return [
    route("GET", indexPath, plainText(index)),
    route("GET", "/debug/pprof/cmdline", plainText(commandLine)),
    route("GET", "/debug/pprof/symbol", plainText(symbol)),
    route("POST", "/debug/pprof/symbol", plainText(symbol)),
    route("GET", "/debug/pprof/profile", plainText(profile)),
    route("GET", "/debug/pprof/heap", plainText(heap)),
    route("GET", "/debug/pprof/goroutine", plainText(() => tasks(runningTasks()))),
    route("GET", "/debug/pprof/block", plainText(() => NO_BLOCK_PROFILE)),
    route("GET", "/debug/pprof/threadcreate", plainText(() => NO_THREAD_PROFILE)),
  ];
}

function index(): string {
  return PAGES.join("\n") + "\n";
}

function commandLine(): string {
  return ["denosq", ...Deno.args.map(hideCredentials)].join("\0");
}

function symbol(): string {
  return "num_symbols: 0\n";
}

async function heap(): Promise<string> {
  const { default: v8 } = await import("node:v8");
  const use = { memory: Deno.memoryUsage(), heap: v8.getHeapStatistics() };
  return JSON.stringify(use, null, 2) + "\n";
}

function tasks(names: readonly string[]): string {
  return [`tasks: ${names.length}`, ...names].join("\n") + "\n";
}

/** A profile of the processor in the form of V8's `.cpuprofile` files; Go's differ. */
async function profile(context: RequestContext): Promise<string> {
  const asked = Number(requestParams(context).get("seconds"));
  const timeS = Number.isInteger(asked) && asked > 0 ? Math.min(asked, PROFILE_TIME_MAX_S) : PROFILE_TIME_S;
  const { Session } = await import("node:inspector/promises");
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
    await elapse(timeS * 1000, context.request.signal);
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
