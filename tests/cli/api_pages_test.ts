import { assert, assertEquals } from "@std/assert";
import { API_PAGE, apiPage, OPENAPI_PAGE, openApiPage } from "../../src/cli/api_pages.ts";
import { COMMON_ERRORS, ENDPOINTS } from "../../src/nsqd/api/description.ts";
import { nsqdEndpoints } from "../../src/nsqd/api/endpoints.ts";
import { httpApi } from "../support/http_api.ts";

Deno.test("apiPage() is what docs/http-api.md holds; if not, run: deno task docs", () => {
  const page = Deno.readTextFileSync(API_PAGE).replaceAll("\r\n", "\n");

  assertEquals(page, apiPage(page));
});

Deno.test("openApiPage() is what docs/openapi.yaml holds; if not, run: deno task docs", () => {
  assertEquals(Deno.readTextFileSync(OPENAPI_PAGE).replaceAll("\r\n", "\n"), openApiPage());
});

Deno.test("Every endpoint of the table is described, in src/nsqd/api/description.ts, and no other", () => {
  const line = ({ access, method, path }: { access: unknown; method: string; path: string }) =>
    `${access} ${method} ${path}`;
  const { context } = httpApi();
  const served = nsqdEndpoints({ ...context, hasGossip: true }).map(line);

  assertEquals(ENDPOINTS.map(line).sort(), served.sort());
});

Deno.test("Every code that the API refuses with is described", () => {
  const described = [...COMMON_ERRORS, ...ENDPOINTS.flatMap(({ errors }) => errors)].join("\n");
  const codes = ["src/nsqd/api/", "src/nsqd/queue/", "src/http/"].flatMap((folder) =>
    [...Deno.readDirSync(new URL(`../../${folder}`, import.meta.url))].flatMap(({ name }) => {
      const text = Deno.readTextFileSync(new URL(`../../${folder}${name}`, import.meta.url));
      return [...text.matchAll(/new HttpError\(\s*(\d+),\s*"([A-Z_]+)"/g)].map(([, status, code]) =>
        `${status} ${code}`
      );
    })
  );
  // That one is told of a fault of the program.
  const known = codes.filter((code) => code !== "500 INTERNAL_ERROR");

  assert(known.length > 25, `only ${known.length} codes are found`);
  assertEquals(known.filter((code) => !described.includes(code)), []);
});
