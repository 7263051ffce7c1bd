/**
 * denosq: the programs of NSQ as one executable. Which of them to run, by the name it was called by or by the
 * first argument, is decided in src/cli; each program is put together in the main.ts of its own folder.
 *
 * @module
 */
import { runProgram } from "./src/cli/command.ts";

if (import.meta.main) Deno.exit(await runProgram(Deno.args));
