/**
 * Which route a method and a path lead to, with the answers that Go's httprouter gives for near misses: the
 * methods a path has, and the path that a request may have meant. Pure data, no requests and no responses.
 *
 * A path is fixed (`/topic/create`) or has parts that stand for any one name (`/config/:opt`). Fixed ones win
 * and cost one look-up in a map.
 *
 * @module
 */

/** One entry of the table. */
export interface Route<T> {
  readonly method: string;
  readonly path: string;
  readonly value: T;
}

/** An entry, for tables that read as one. */
export function route<T>(method: string, path: string, value: T): Route<T> {
  return { method, path, value };
}

/** What a request leads to. */
export interface Match<T> {
  /** Method and path of the route, its `:name` parts as they are. */
  readonly name: string;
  readonly value: T;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern<T> {
  readonly name: string;
  readonly parts: readonly string[];
  readonly value: T;
}

interface MethodRoutes<T> {
  readonly fixed: Map<string, Match<T>>;
  readonly patterns: Pattern<T>[];
}

/** The table. */
export class RouteTable<T> {
  readonly #methods = new Map<string, MethodRoutes<T>>();

  constructor(routes: Iterable<Route<T>>) {
    for (const { method, path, value } of routes) {
      const own: MethodRoutes<T> = this.#methods.get(method) ?? { fixed: new Map(), patterns: [] };
      this.#methods.set(method, own);
      const name = `${method} ${path}`;
      if (path.includes("/:")) own.patterns.push({ name, parts: path.split("/"), value });
      else own.fixed.set(path, { name, value, params: {} });
    }
  }

  /** The route of exactly that path. */
  match(method: string, path: string): Match<T> | undefined {
    const own = this.#methods.get(method);
    if (own === undefined) return undefined;
    return own.fixed.get(path) ?? matchPattern(own.patterns, path);
  }

  /** The methods that a path has, sorted, with OPTIONS; empty if it has none. */
  allowed(path: string): string[] {
    // `*` is the server as a whole.
    const has = (method: string) => path === "*" || this.match(method, path) !== undefined;
    const methods = [...this.#methods.keys()].filter(has);
    return methods.length === 0 ? [] : [...methods, "OPTIONS"].sort();
  }

  /**
   * The path of the route that a path without one means: with or without a slash at its end, with superfluous
   * slashes and dots resolved, or in other letters' case.
   */
  meant(method: string, path: string): string | undefined {
    const own = this.#methods.get(method);
    if (own === undefined) return undefined;
    const clean = cleanPath(path);
    const other = clean.endsWith("/") ? clean.slice(0, -1) : `${clean}/`;
    return ignoringCase(own, clean) ?? ignoringCase(own, other);
  }
}

function matchPattern<T>(patterns: readonly Pattern<T>[], path: string): Match<T> | undefined {
  if (patterns.length === 0) return undefined;
  const names = path.split("/");
  for (const { name, parts, value } of patterns) {
    if (!fits(parts, names, (part, name) => part === name)) continue;
    const params: Record<string, string> = {};
    parts.forEach((part, i) => {
      if (part.startsWith(":")) params[part.slice(1)] = names[i];
    });
    return { name, value, params };
  }
  return undefined;
}

function ignoringCase<T>(routes: MethodRoutes<T>, path: string): string | undefined {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  for (const fixed of routes.fixed.keys()) {
    if (same(fixed, path)) return fixed;
  }
  const names = path.split("/");
  const pattern = routes.patterns.find(({ parts }) => fits(parts, names, same));
  return pattern?.parts.map((part, i) => part.startsWith(":") ? names[i] : part).join("/");
}

function fits(
  parts: readonly string[],
  names: readonly string[],
  equal: (part: string, name: string) => boolean,
): boolean {
  if (parts.length !== names.length) return false;
  return parts.every((part, i) => part.startsWith(":") ? names[i] !== "" : equal(part, names[i]));
}

/** The path without empty parts, `.` and `..`. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  const parts = path.split("/");
  for (const part of parts) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  const last = parts[parts.length - 1];
  const slash = kept.length > 0 && (last === "" || last === ".") ? "/" : "";
  return `/${kept.join("/")}${slash}`;
}
