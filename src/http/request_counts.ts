/**
 * How many requests have been answered, by route and by status: by what there is, and never by what a client says, or each
 * made-up path would be one more to count.
 *
 * @module
 */
import { labelText, type MetricFamily, type Series } from "../base/exposition.ts";

/** In place of method and path, what no route stands for. */
const OTHER = "other";

/** Counts answers. */
export class RequestCounts {
  readonly #routes = new Map<string, Map<number, number>>();

  /** One more; `route` is a route's method and path, or undefined where there is none. */
  count(route: string | undefined, status: number): void {
    const key = route ?? OTHER;
    let own = this.#routes.get(key);
    if (own === undefined) this.#routes.set(key, own = new Map());
    own.set(status, (own.get(status) ?? 0) + 1);
  }

  /** The counts, for a program whose metrics' names begin so. */
  family(prefix: string): MetricFamily {
    return {
      name: `${prefix}_http_requests_total`,
      type: "counter",
      help: "HTTP requests that were answered.",
      series: this.#series(),
    };
  }

  *#series(): Generator<Series> {
    for (const [key, statuses] of this.#routes) {
      const [method, route = OTHER] = key.split(" ");
      for (const [code, value] of statuses) {
        yield { labels: labelText({ method, route, code: String(code) }), value };
      }
    }
  }
}
