/**
 * This project's program with a system clock that jumps: by as many ms as a file says whenever the process gets SIGUSR2.
 * So it is when ntpd or an administrator sets the clock, or a virtual machine is resumed: `Date.now()` jumps, and the
 * monotonic clock goes on. The file is the first argument, the program's own follow.
 *
 * @module
 */

import { runCommand } from "../../src/cli/command.ts";

const [file, ...args] = Deno.args;
const systemNow = Date.now;
let offsetMs = 0;
Date.now = () => systemNow() + offsetMs;
Deno.addSignalListener("SIGUSR2", () => offsetMs = Number(Deno.readTextFileSync(file)));
Deno.exit(await runCommand({ calledAs: "denosq", args }));
