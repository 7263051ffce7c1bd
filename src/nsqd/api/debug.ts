/**
 * nsqd's debug endpoints: the pages that all daemons have, and two that only nsqd has.
 *
 * @module
 */
import { log, plainText } from "../../http/decorators.ts";
import { debugPages, NO_BLOCK_PROFILE } from "../../http/debug_pages.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { type Endpoint, endpoint } from "./guard.ts";
import { paramsOf } from "./params.ts";
import type { ApiContext } from "./context.ts";

/** The debug endpoints. Only the last two are logged, as in NSQ. */
export function debugEndpoints(nsqd: ApiContext): Endpoint[] {
  const logged = log(nsqd.logger);
  const pages = debugPages({ indexPath: "/debug/pprof/", runningTasks: () => nsqd.runningTasks() });
  return [
    ...pages.map(({ method, path, value }) => endpoint("read", method, path, value)),
    endpoint(
      "admin",
      "PUT",
      "/debug/setblockrate",
      plainText(logged((request) => setBlockRate(nsqd, request))),
    ),
    endpoint("admin", "POST", "/debug/freememory", plainText(logged(freeMemory))),
  ];
}

/** The rate is checked as in Go, and then of no use. Differs from NSQ, which answers 500. */
function setBlockRate(nsqd: ApiContext, request: RequestContext): string {
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
