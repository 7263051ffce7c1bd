/**
 * Compares the results of the recorded cases with docs/compatibility.md: a case that comes out differently must
 * be named there.
 *
 *     deno run -A .ci/conformance.ts results.json
 *
 * @module
 */

interface CaseResult {
  readonly name: string;
  readonly result: "pass" | "fail" | "flaky" | "skip";
}

const [file] = Deno.args;
const { cases: results }: { cases: CaseResult[] } = JSON.parse(Deno.readTextFileSync(file));
const page = Deno.readTextFileSync(new URL("../docs/compatibility.md", import.meta.url));

const failed = results.filter(({ result }) => result === "fail").map(({ name }) => name);
const unexplained = failed.filter((name) => !page.includes(`\`${name}\``));
const passed = results.filter(({ result }) => result === "pass" || result === "flaky").length;

for (const name of failed) {
  console.log(`${unexplained.includes(name) ? "DIFFERS" : "differs, as documented"}: ${name}`);
}
console.log(`as documented: ${failed.length - unexplained.length} cases differ`);
console.log(`conformance: ${passed} passed, ${unexplained.length} failed`);
if (passed === 0 || unexplained.length > 0) Deno.exit(1);
