/**
 * The pages that those look at who keep daemons running and lead clients to them, such as Kubernetes: whether the process is to be
 * started anew, and whether it is to be sent clients. They leave no line in the log, for they are asked every few seconds.
 *
 * @module
 */
import { Answer } from "./answer.ts";
import { v1, V1_JSON } from "./decorators.ts";
import { route } from "./route_table.ts";
import type { HttpRoute } from "./router.ts";

/** Whether clients can be served; it becomes JSON as it is. */
export interface Readiness {
  readonly ready: boolean;
  /** What the daemon is doing: `running`, as a rule. */
  readonly state: string;
  /** Why it is not ready; empty if it is. */
  readonly reasons: readonly string[];
  /** Further fields. */
  readonly [field: string]: unknown;
}

/** `GET /health/live` and `GET /health/ready`. */
export function healthPages(readiness: () => Readiness): HttpRoute[] {
  return [
    // Whoever gets an answer knows all there is to know: a daemon whose parts fail stops by itself.
    route("GET", "/health/live", v1(() => ({ live: true }))),
    route("GET", "/health/ready", (context) => {
      const told = readiness();
      // That it is not ready is no fault of whoever asks.
      context.refuses = false;
      return new Answer(told.ready ? 200 : 503, V1_JSON, JSON.stringify(told));
    }),
  ];
}
