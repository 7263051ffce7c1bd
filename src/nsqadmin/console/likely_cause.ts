/**
 * What may be behind the words of an HTTP client, for whoever has to do something about it. NSQ's users have asked for this most
 * where a node tells an address that only its own network knows.
 *
 * @module
 */

import type { Texts } from "./texts/texts.ts";

/** The first that fits counts. */
const CAUSES: readonly (readonly [words: RegExp, cause: keyof Texts["causes"]])[] = [
  [
    /^dial tcp (127\.|localhost:|0\.0\.0\.0:|\[::1?\]:)\S* connect: connection refused$/,
    "nothingListensHere",
  ],
  [/^dial tcp \S+ connect: connection refused$/, "nothingListens"],
  [/: no such host$/, "unknownName"],
  [/\bEAI_AGAIN\b/, "noNameServers"],
  [/\b(EHOSTUNREACH|ENETUNREACH|EINVAL|EADDRNOTAVAIL|ENETDOWN)\b/, "noRoute"],
  [/^dial tcp \S+ i\/o timeout$/, "silence"],
  [/^(net\/http: timeout awaiting|net\/http: request canceled|is late)/, "late"],
  [/^(malformed HTTP response|(unexpected )?EOF$|(read|write) (ECONNRESET|EPIPE)$)/, "noHttp"],
  [
    / is no (object|list|list of strings|string|whole number|number)$| is not true or false$|\bis not valid JSON$|^Unexpected |^Unterminated |JSON input$|^A string in JSON |^An object in JSON |^JSON is /,
    "noNsq",
  ],
  [/^the answer has more than /, "tooLarge"],
  [/^invalid address$/, "noAddress"],
  [/^got response 401 /, "noToken"],
  [/^got response 403 /, "forbidden"],
  [/^got response 404 /, "otherProgram"],
  [/^got response 503 .*LOADING/, "loading"],
  [/^got response 5/, "fault"],
  [/^got response /, "otherAnswer"],
];
/** What the client says in front of what has happened, and whether it was asked over HTTPS. */
const REQUEST = /^(?:Get|Post) "(https?):\/\/[^"]*": /;

/** What may be behind the reason why somebody does not answer; undefined where that says it all. */
export function likelyCause({ causes }: Texts, reason: string): string | undefined {
  const scheme = REQUEST.exec(reason);
  const words = reason.replace(REQUEST, "");
  const known = CAUSES.find(([pattern]) => pattern.test(words))?.[1];
  if (known !== undefined) return causes[known];
  return scheme?.[1] === "https" ? causes.tls : undefined;
}
