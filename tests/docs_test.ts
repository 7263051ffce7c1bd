/**
 * What the docs lead to is there, and what is there is led to.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** The docs by their paths. */
function pages(): Map<string, string> {
  const names = [...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`);
  const paths = ["README.md", ...names.filter((name) => name.endsWith(".md"))];
  return new Map(paths.map((path) => [path, Deno.readTextFileSync(new URL(path, ROOT))]));
}

/** Links to what is no address of the web, as they are written, and where they lead. */
function linksOf(path: string, text: string): { readonly link: string; readonly target: URL }[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link)
    .filter((link) => !/^\w+:/.test(link))
    .map((link) => ({ link, target: new URL(link, new URL(path, ROOT)) }));
}

/** Names of the headings as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.replace(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm)]
    .map(([, heading]) => `#${heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-")}`);
}

Deno.test("Links in the docs lead to files and headings that are there", () => {
  const all = pages();
  const broken = [...all].flatMap(([path, text]) =>
    linksOf(path, text).filter(({ target }) => {
      const file = target.pathname.slice(ROOT.pathname.length);
      const page = all.get(file);
      if (target.hash !== "" && page !== undefined) return !anchorsOf(page).includes(target.hash);
      return !exists(target);
    }).map(({ link }) => `${path}: ${link}`)
  );

  assertEquals(broken, []);
});

Deno.test("Every picture is shown in the docs", () => {
  const shown = new Set(
    [...pages()].flatMap(([path, text]) => linksOf(path, text).map(({ target }) => target.href)),
  );
  const images = new URL("docs/images/", ROOT);
  const names = [...Deno.readDirSync(images)].map(({ name }) => name);

  assertEquals(names.filter((name) => !shown.has(new URL(name, images).href)), []);
});

function exists(file: URL): boolean {
  try {
    Deno.statSync(new URL(file.pathname, file));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
