/**
 * What went wrong with an nsqd, in words for whoever runs a tool, with what to do about it where that is known.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { NsqdError } from "../client/mod.ts";

/** What the codes of nsqd mean for a tool. */
const REFUSALS: Readonly<Record<string, string>> = {
  E_AUTH_FIRST: "this nsqd demands a secret: give it with auth_secret,SECRET",
  E_AUTH_FAILED: "this nsqd does not take the secret (auth_secret), or cannot ask whether it is good",
  E_AUTH_ERROR: "this nsqd does not take the secret (auth_secret), or cannot ask whether it is good",
  E_AUTH_DISABLED: "this nsqd takes no secrets: leave auth_secret out",
  E_UNAUTHORIZED: "the secret (auth_secret) is not good for this topic and channel",
  E_TOPIC_NOT_FOUND: "this nsqd has no such topic, and makes none",
};

/** Patterns of the system's errors, which have no code of their own in both runtimes. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [
    /ECONNREFUSED|connection refused/i,
    "nothing listens there; is nsqd running, and is this its TCP port (4150)?",
  ],
  [/ENOTFOUND|EAI_AGAIN|failed to lookup|no such host/i, "there is no such host"],
  [/EHOSTUNREACH|ENETUNREACH/, "there is no way to that host"],
  [/ENOENT|ENOTSOCK/, "there is no such socket"],
  [
    /no connection within/,
    "is this its TCP port (4150), which is not its HTTP port, and is the way there open?",
  ],
  [/demands a secret/, "give it with auth_secret,SECRET"],
  [/frame/i, "is this nsqd's TCP port? Its HTTP port is another one"],
  [/certificate|self.signed|UnknownIssuer|issuer/i, "name its authority with tls_root_ca_file,PATH"],
];

/** The message of an error, and what it means. */
export function explained(error: Error): string {
  const text = errorText(error);
  const meaning = error instanceof NsqdError
    ? REFUSALS[error.code]
    : FAILURES.find(([pattern]) => pattern.test(text))?.[1];
  return meaning === undefined ? text : `${text} (${meaning})`;
}
