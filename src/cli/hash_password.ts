/**
 * The entry of `denosq hash-password`: makes of a password what nsqadmin's `--user-file` holds of it. It is asked for at the
 * terminal, without being shown, or is the one line that comes on standard input: it never stands on a command line.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { PASSWORD_LENGTH_MAX, passwordHash } from "../nsqadmin/login/password.ts";

/** Runs hash-password to its end; the result is the exit code. */
export async function runHashPassword(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    const isHelp = /^--?h(elp)?$/.test(args[0]);
    (isHelp ? console.log : console.error)(
      "hash-password takes no arguments: it asks for the password, or reads it from standard input, and prints what stands in a line of nsqadmin's --user-file",
    );
    return isHelp ? 0 : 1;
  }
  const password = Deno.stdin.isTerminal() ? await askedFor() : await piped();
  if (password === "" || password.length > PASSWORD_LENGTH_MAX || /[\r\n]/.test(password)) {
    console.error(`hash-password: a password is one line of 1 to ${PASSWORD_LENGTH_MAX} characters`);
    return 1;
  }
  console.log(await passwordHash(password));
  return 0;
}

async function piped(): Promise<string> {
  return (await new Response(Deno.stdin.readable).text()).replace(/\r?\n$/, "");
}

/** Shows nothing of what is typed; it is empty if the terminal is closed, as by Ctrl+C. */
async function askedFor(): Promise<string> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  const closed = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  await Deno.stderr.write(new TextEncoder().encode("Password: "));
  const password = await Promise.race([terminal.question(""), closed]);
  await Deno.stderr.write(new TextEncoder().encode("\n"));
  terminal.close();
  return password;
}
