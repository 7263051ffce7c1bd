import { assertEquals } from "@std/assert";
import { single } from "../../src/base/exposition.ts";
import { formatFor, metricsAnswer } from "../../src/http/metrics_answer.ts";

for (
  const [accept, format] of [
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/plain", "text"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text; version=2.0.0", "text"],
    ["application/openmetrics-text;q=0", "text"],
    ["application/openmetrics-text;q=x", "text"],
    ["application/openmetrics-text;q=0.3,text/plain;version=0.0.4", "text"],
    ["application/openmetrics-text,".repeat(200), "text"],
    // Prometheus 2 and 3.
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "openmetrics",
    ],
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
      "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
      "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      "openmetrics",
    ],
  ] as const
) {
  Deno.test(`formatFor() of "${accept?.slice(0, 60)}" is ${format}`, () => {
    assertEquals(formatFor(accept), format);
  });
}

for (
  const [accept, type] of [
    ["*/*", "text/plain; version=0.0.4; charset=utf-8"],
    ["application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"],
  ]
) {
  Deno.test(`metricsAnswer() to "${accept}" says that it is ${type}`, async () => {
    const { status, headers } = await metricsAnswer([single("gauge", "one", "One.", 1)], accept);

    assertEquals([status, headers.list[0]], [200, ["Content-Type", type]]);
  });
}
