/**
 * Finds the program that a call means and hands it its arguments. Programs read their own flags; the flags here
 * are those of denosq itself.
 *
 * @module
 */
import { ignoreEnvironment } from "../base/environment.ts";
import { isOnDeploy } from "../base/platform.ts";
import { DENOSQ_VERSION, NSQ_VERSION } from "../base/version.ts";
import { type Program, PROGRAMS } from "./programs.ts";

/** How the executable was called. */
export interface Call {
  /** The name or path it was called by: a link named after a program is that program. */
  readonly calledAs: string;
  readonly args: readonly string[];
}

/** Where lines go that are no log lines. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const CONSOLE: Output = { out: (text) => console.log(text), err: (text) => console.error(text) };

/** Runs what the call of this process means; the result is the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  ignoreEnvironment();
  return await runCommand({ calledAs: calledAs(), args });
}

/** What runs from its source is called by the name of the runtime. */
function calledAs(): string {
  // Not imported: to load Node's process costs each start more than all modules here do.
  return Deno.build.standalone ? nameInProc() ?? globalThis.process.argv0 : "";
}

/** What the kernel says, where it does: Linux, with all permissions. */
function nameInProc(): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/self/cmdline").split("\0", 1)[0];
  } catch (error) {
    const { NotFound, NotCapable, PermissionDenied } = Deno.errors;
    // No such folder, or none that this process may read: what the runtime says does as well.
    if ([NotFound, NotCapable, PermissionDenied].some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

/** Runs what a call means; the result is the exit code. */
export async function runCommand(
  call: Call,
  options: { readonly programs?: readonly Program[]; readonly output?: Output } = {},
): Promise<number> {
  const { programs = PROGRAMS, output = CONSOLE } = options;
  const linked = programs.find(({ name }) => name === baseName(call.calledAs));
  if (linked !== undefined) return await linked.run(call.args);

  // A platform runs what it is given, as it is.
  const [first = "", ...args] = call.args.length === 0 && isOnDeploy() ? ["nsqd"] : call.args;
  const program = programs.find(({ name }) => name === first);
  if (program !== undefined) return await program.run(args);

  const flag = /^--?(\w+)$/.exec(first)?.[1];
  if (flag === "help" || flag === "h") {
    output.out(helpText(programs));
    return 0;
  }
  if (flag === "version") {
    output.out(`denosq v${DENOSQ_VERSION} (NSQ v${NSQ_VERSION}, Deno ${Deno.version.deno})`);
    return 0;
  }
  const problem = first === "" ? "no program given" : `no program ${JSON.stringify(first)}`;
  output.err(`denosq: ${problem}; there is: ${programs.map(({ name }) => name).join(", ")}`);
  return 1;
}

/** The last part of a path, without the ending that executables have on Windows. */
function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1).replace(/\.exe$/i, "");
}

function helpText(programs: readonly Program[]): string {
  const width = Math.max(...programs.map(({ name }) => name.length));
  return [
    "Usage: denosq <program> [flags]",
    "       <program> [flags]    where <program> is a link to denosq",
    "",
    ...programs.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "denosq <program> --help lists the flags of a program.",
  ].join("\n");
}
