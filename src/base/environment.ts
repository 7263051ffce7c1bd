/**
 * Variables of the environment by which the runtime would do something else than the program's flags say. They are meant
 * for other programs, and set for a whole machine or container; nobody expects them to send the secrets of clients to a
 * proxy. (`DENO_SERVE_ADDRESS` is not among them: only a platform's own server heeds it, see http/deno_serve.ts.)
 *
 * There is no other way for all of them: `fetch` takes proxies from the environment whatever client it is given, and so
 * does Node's (Deno 2.9.6). Both ask for them when they are used, so they are taken away before anything is.
 *
 * @module
 */

import { isGranted } from "./platform.ts";

/** See above; what the runtime reads before any program begins is not among them (docs/security.md). */
export const IGNORED_VARIABLES: readonly string[] = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
  "NODE_USE_ENV_PROXY",
  "NODE_EXTRA_CA_CERTS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
];

/** Takes them away, from this process and from those that it starts, as far as it has the permission. */
export function ignoreEnvironment(): void {
  for (const name of IGNORED_VARIABLES) {
    if (mayUse(name)) Deno.env.delete(name);
  }
}

/** Those that it has not the permission to take away. */
export function variablesInForce(): string[] {
  return IGNORED_VARIABLES.filter((name) => !mayUse(name));
}

function mayUse(variable: string): boolean {
  return isGranted({ name: "env", variable });
}
