import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { debugPages } from "../../src/http/debug_pages.ts";
import { Router } from "../../src/http/router.ts";
import { callHandler } from "../support/http_call.ts";

/** Asks for a page of a program that runs two tasks. */
async function get(path: string, signal?: AbortSignal): Promise<{ status: number; text: string }> {
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.error, write: () => {} });
  const routes = debugPages({ indexPath: "/debug/pprof", runningTasks: () => ["loop", "server"] });
  const call = { target: path, ...signal && { signal } };
  const { status, text } = await callHandler(new Router({ routes, logger }).handle, call);
  return { status, text };
}

Deno.test("debugPages() lists the pages at the path that the program has them at", async () => {
  const { status, text } = await get("/debug/pprof");

  assertEquals(status, 200);
  for (const page of ["cmdline", "heap", "goroutine", "profile", "block", "threadcreate", "symbol"]) {
    assertStringIncludes(text, `${page} `);
  }
});

Deno.test("debugPages() names the running tasks", async () => {
  assertEquals((await get("/debug/pprof/goroutine")).text, "tasks: 2\nloop\nserver\n");
});

Deno.test("debugPages() tells the use of memory as JSON", async () => {
  const { memory } = JSON.parse((await get("/debug/pprof/heap")).text);

  assert(memory.rss > 0);
});

Deno.test("debugPages() says where there is nothing to tell", async () => {
  const texts = await Promise.all(
    ["block", "threadcreate", "symbol"].map((page) => get(`/debug/pprof/${page}`)),
  );

  assertEquals(texts.map(({ text }) => text), [
    "There is no profile of blocking in this runtime.\n",
    "There is no profile of threads in this runtime.\n",
    "num_symbols: 0\n",
  ]);
});

Deno.test("debugPages() takes a profile of the processor no longer than the client waits", async () => {
  const { status, text } = await get("/debug/pprof/profile?seconds=300", AbortSignal.abort());

  assertEquals(status, 200);
  assert(JSON.parse(text).nodes.length > 0);
});

Deno.test("debugPages() refuses a query that is none", async () => {
  assertEquals((await get("/debug/pprof/profile?seconds=%zz")).status, 400);
});
