/**
 * The versions this program answers with. It never decides anything by them.
 *
 * @module
 */

/** The NSQ release whose behaviour clients and operators see; it stands where NSQ shows its own version. */
export const NSQ_VERSION = "1.3.0";

/** The version of this implementation, which is deno.json's. With a module of JSON a compiled program would keep no code in its cache. */
export const DENOSQ_VERSION = "0.1.0";

/** A program's version in the form of NSQ's, which scripts take apart: where Go's version is there, there is Deno's here. */
export function nsqVersionLine(program: string): string {
  return `${program} v${NSQ_VERSION} (built w/deno${Deno.version.deno})`;
}

/** What a program's `--version` prints: the same, and what it really is behind it. */
export function versionLine(program: string): string {
  return `${nsqVersionLine(program)} (denosq v${DENOSQ_VERSION})`;
}
