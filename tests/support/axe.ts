/**
 * axe-core, which finds what makes a page hard to use for some. It is not among the imports: what is there goes into the
 * executable, too.
 *
 * @module
 */

import { MissingError } from "./interop.ts";

const PACKAGE = "npm:axe-core@4.14.1";

/** The script that defines `axe` in a page. */
export async function axeSource(): Promise<string> {
  const script = `import axe from ${JSON.stringify(PACKAGE)}; console.log(axe.source)`;
  const args = ["eval", "--no-lock", "--no-config", script];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" })
    .output();
  if (success) return new TextDecoder().decode(stdout);
  throw MissingError.because(PACKAGE, new Error(new TextDecoder().decode(stderr)));
}
