/**
 * Metrics as an answer: in OpenMetrics 1.0 for those who would rather have it, and else in Prometheus' text format 0.0.4.
 *
 * @module
 */
import { type ExpositionFormat, expositionTexts, type MetricFamily } from "../base/exposition.ts";
import { Answer, HeaderBlock } from "./answer.ts";
import { CAUTION } from "./decorators.ts";
import { textPieces } from "./text_pieces.ts";

/** What is longer is not looked at: no scraper has so much to say. */
const ACCEPT_LENGTH_MAX = 4096;

const HEADERS: Readonly<Record<ExpositionFormat, HeaderBlock>> = {
  text: new HeaderBlock([["Content-Type", "text/plain; version=0.0.4; charset=utf-8"], ...CAUTION]),
  openmetrics: new HeaderBlock([
    ["Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"],
    ...CAUTION,
  ]),
};

/** The answer, for a client that accepts this. With many series it takes a while to make, in which others are served. */
export async function metricsAnswer(
  families: Iterable<MetricFamily>,
  accept: string | undefined,
): Promise<Answer> {
  const format = formatFor(accept);
  return new Answer(200, HEADERS[format], await textPieces(expositionTexts(families, format)));
}

/** The format that an Accept header prefers. */
export function formatFor(accept = ""): ExpositionFormat {
  if (accept.length > ACCEPT_LENGTH_MAX) return "text";
  let [openMetrics, text] = [0, 0];
  for (const range of accept.toLowerCase().split(",")) {
    const [type, ...parameters] = range.split(";").map((part) => part.trim());
    const given = new Map(parameters.map((each) => each.split("=", 2) as [string, string | undefined]));
    const weight = Number(given.get("q") ?? "1");
    const version = given.get("version");
    if (type === "application/openmetrics-text" && (version === undefined || version === "1.0.0")) {
      openMetrics = Math.max(openMetrics, weight);
    } else if (type === "text/plain" && (version === undefined || version === "0.0.4")) {
      text = Math.max(text, weight);
    }
  }
  // A weight that is no number is above nothing.
  return openMetrics > 0 && openMetrics >= text ? "openmetrics" : "text";
}
