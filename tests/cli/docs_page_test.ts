import { assertEquals } from "@std/assert";
import { DOCS_PAGE, docsPage } from "../../src/cli/docs_page.ts";

Deno.test("docsPage() is what docs/configuration.md holds; if not, run: deno task docs", () => {
  assertEquals(Deno.readTextFileSync(DOCS_PAGE).replaceAll("\r\n", "\n"), docsPage());
});
