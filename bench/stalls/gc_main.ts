/**
 * This project's program that collects its garbage whenever the process gets SIGUSR2, so that what it then says of its
 * memory is what it needs. It is to be run with `--v8-flags=--expose-gc`.
 *
 * @module
 */

import { runCommand } from "../../src/cli/command.ts";

const { gc }: { readonly gc?: () => void } = globalThis as object;
if (gc === undefined) throw new Error("This needs --v8-flags=--expose-gc");
Deno.addSignalListener("SIGUSR2", () => gc());
Deno.exit(await runCommand({ calledAs: "denosq", args: Deno.args }));
