/**
 * The versions this program answers with. It never decides anything by them.
 *
 * @module
 */
import manifest from "../../deno.json" with { type: "json" };

/** The NSQ release whose behaviour clients and operators see; it stands where NSQ shows its own version. */
export const NSQ_VERSION = "1.3.0";

/** The version of this implementation, as the manifest says it. */
export const DENOSQ_VERSION: string = manifest.version;

/** A program's version in the form of NSQ's, which scripts take apart: where Go's version is there, there is Deno's here. */
export function nsqVersionLine(program: string): string {
  return `${program} v${NSQ_VERSION} (built w/deno${Deno.version.deno})`;
}

/** What a program's `--version` prints: the same, and what it really is behind it. */
export function versionLine(program: string): string {
  return `${nsqVersionLine(program)} (denosq v${DENOSQ_VERSION})`;
}
