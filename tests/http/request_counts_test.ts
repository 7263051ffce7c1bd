import { assertEquals } from "@std/assert";
import { expositionTexts } from "../../src/base/exposition.ts";
import { Logger } from "../../src/base/logger.ts";
import { plainText } from "../../src/http/decorators.ts";
import { HttpError } from "../../src/http/http_error.ts";
import { RequestCounts } from "../../src/http/request_counts.ts";
import { route } from "../../src/http/route_table.ts";
import { Router } from "../../src/http/router.ts";
import { callHandler } from "../support/http_call.ts";

Deno.test("Router counts answers by route and status, and what has no route as one", async () => {
  const counts = new RequestCounts();
  const logger = new Logger({ prefix: "", level: 5, write: () => {} });
  const routes = [
    route("GET", "/item/:id", plainText(() => "here")),
    route(
      "POST",
      "/item/:id",
      plainText(() => {
        throw new HttpError(404, "GONE");
      }),
    ),
    route("GET", "/fault", plainText(() => Promise.reject(new Error("fault")))),
  ];
  const router = new Router({ routes, logger, counts });
  const calls = [["GET", "/item/1"], ["GET", "/item/2"], ["POST", "/item/1"], ["GET", "/fault"], [
    "GET",
    "/x",
  ]];

  for (const [method, target] of [...calls, ["STRANGE", "/y"], ["PUT", "/item/1"]]) {
    await callHandler(router.handle, { method, target });
  }

  const text = [...expositionTexts([counts.family("some")], "text")].join("");
  assertEquals(text.trimEnd().split("\n").slice(2), [
    'some_http_requests_total{method="GET",route="/item/:id",code="200"} 2',
    'some_http_requests_total{method="POST",route="/item/:id",code="404"} 1',
    'some_http_requests_total{method="GET",route="/fault",code="500"} 1',
    'some_http_requests_total{method="other",route="other",code="404"} 2',
    'some_http_requests_total{method="other",route="other",code="405"} 1',
  ]);
});
