import { assertEquals } from "@std/assert";
import {
  type ExpositionFormat,
  expositionTexts,
  labelText,
  type MetricFamily,
  single,
} from "../../src/base/exposition.ts";
import { FixedHistogram } from "../../src/base/fixed_histogram.ts";

const text = (families: MetricFamily[], format: ExpositionFormat = "text") =>
  [...expositionTexts(families, format)].join("");

Deno.test("expositionTexts() writes each family once, with all of its series", () => {
  const series = ["a", "b"].map((topic, i) => ({ labels: labelText({ topic }), value: i }));

  assertEquals(
    text([
      { name: "depth", type: "gauge", help: "Messages.", series },
      single("counter", "n_total", "N.", 2.5),
    ]),
    '# HELP depth Messages.\n# TYPE depth gauge\ndepth{topic="a"} 0\ndepth{topic="b"} 1\n' +
      "# HELP n_total N.\n# TYPE n_total counter\nn_total 2.5\n",
  );
});

Deno.test("expositionTexts() leaves out a family without series", () => {
  assertEquals(text([{ name: "depth", type: "gauge", help: "Messages.", series: [] }]), "");
});

Deno.test("expositionTexts() has a histogram's counts add up, with its sum and its number of values", () => {
  const value = new FixedHistogram([0.5, 1]);
  for (const seconds of [0.25, 0.5, 0.75, 2]) value.insert(seconds);

  assertEquals(
    text([{ name: "took", type: "histogram", help: "Time.", series: [{ labels: 'a="b"', value }] }]),
    "# HELP took Time.\n# TYPE took histogram\n" +
      'took_bucket{a="b",le="0.5"} 2\ntook_bucket{a="b",le="1.0"} 3\ntook_bucket{a="b",le="+Inf"} 4\n' +
      'took_sum{a="b"} 3.5\ntook_count{a="b"} 4\n',
  );
});

Deno.test("expositionTexts() in OpenMetrics names counters without _total, and ends with its mark", () => {
  const families = [
    single("counter", "hits_total", 'Hits of "it".', 3),
    single("counter", "message_count", "Not named as a counter.", 1),
  ];

  assertEquals(
    text(families, "openmetrics"),
    '# HELP hits Hits of \\"it\\".\n# TYPE hits counter\nhits_total 3\n' +
      "# HELP message_count Not named as a counter.\n# TYPE message_count unknown\nmessage_count 1\n# EOF\n",
  );
});

Deno.test("expositionTexts() writes numbers that are none as Prometheus reads them", () => {
  const values = [Infinity, -Infinity, NaN, 1e21].map((value) => text([single("gauge", "n", "N.", value)]));

  assertEquals(values.map((each) => each.split("\n")[2]), ["n +Inf", "n -Inf", "n NaN", "n 1e+21"]);
});

Deno.test("labelText() keeps # and dots, and escapes quotes, backslashes and line ends", () => {
  assertEquals(labelText({ topic: "a.b#ephemeral", x: '"\\\n' }), 'topic="a.b#ephemeral",x="\\"\\\\\\n"');
});
