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

/** What a program's `--version` prints. NSQ's version comes first, where scripts look for it. */
export function versionLine(program: string): string {
  return `${program} v${NSQ_VERSION} (denosq v${DENOSQ_VERSION}, Deno ${Deno.version.deno})`;
}
