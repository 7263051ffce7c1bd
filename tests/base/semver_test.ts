import { assertEquals } from "@std/assert";
import { compareSemver, parseSemver, type Semver } from "../../src/base/semver.ts";

/** In order, as semver.org has it. */
const ORDERED = [
  "0.0.0",
  "0.9.10",
  "1.0.0-alpha",
  "1.0.0-alpha.1",
  "1.0.0-alpha.beta",
  "1.0.0-beta",
  "1.0.0-beta.2",
  "1.0.0-beta.11",
  "1.0.0-rc.1",
  "1.0.0",
  "1.3.0",
  "1.10.0",
];

Deno.test("compareSemver() knows which of two versions is older", () => {
  const versions = ORDERED.map(parseSemver).filter((version): version is Semver => version !== undefined);

  for (const [i, a] of versions.entries()) {
    assertEquals(
      versions.map((b) => Math.sign(compareSemver(a, b))),
      versions.map((_, j) => Math.sign(i - j)),
    );
  }
});

Deno.test("parseSemver() takes what was built for nothing", () => {
  assertEquals(parseSemver("1.2.3-rc.1+deb.7"), { numbers: [1, 2, 3], identifiers: ["rc", "1"] });
});

for (
  const text of ["", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.3-", "1.2.x", `1.2.3-${"a".repeat(300)}`]
) {
  Deno.test(`parseSemver() takes ${JSON.stringify(text.slice(0, 20))} for no version`, () => {
    assertEquals(parseSemver(text), undefined);
  });
}
