/**
 * What may be behind the words of an HTTP client, for whoever has to do something about it. NSQ's users have asked for this most
 * where a node tells an address that only its own network knows.
 *
 * @module
 */

const BROADCAST =
  "if only the node's own network knows this address, start the node with a --broadcast-address that is known here";

/** The first that fits counts. */
const CAUSES: readonly (readonly [words: RegExp, cause: string])[] = [
  [
    /^dial tcp (127\.|localhost:|0\.0\.0\.0:|\[::1?\]:)\S* connect: connection refused$/,
    "Nobody listens there, and that is the machine that this nsqadmin is on: the program does not run; or, if a node has told this address of itself, it is elsewhere, and must be started with a --broadcast-address that others can reach.",
  ],
  [
    /^dial tcp \S+ connect: connection refused$/,
    "Nobody listens there: the program does not run, or listens on another address or port (--http-address).",
  ],
  [/: no such host$/, `The name is not known here: ${BROADCAST}.`],
  [/\bEAI_AGAIN\b/, "The name servers do not answer here."],
  [
    /\b(EHOSTUNREACH|ENETUNREACH|EINVAL|EADDRNOTAVAIL|ENETDOWN)\b/,
    `There is no way from here to this address: ${BROADCAST}.`,
  ],
  [
    /^dial tcp \S+ i\/o timeout$/,
    `Nothing comes back from this address, not even a refusal: its machine is off, or a firewall is in between; or, ${BROADCAST}.`,
  ],
  [
    /^(net\/http: timeout awaiting|net\/http: request canceled|is late)/,
    "It takes connections, and does not answer in time: it hangs, was stopped, or has too much to do.",
  ],
  [
    /^(malformed HTTP response|socket hang up$|unexpected EOF$|read ECONNRESET$)/,
    "What answers there speaks no HTTP, or ends the connection: the port may be that of TCP or HTTPS, or there are too many connections.",
  ],
  [
    / is no (object|list|list of strings|string|whole number|number)$| is not true or false$|\bis not valid JSON$|^Unexpected |^Unterminated |JSON input$|^A string in JSON |^An object in JSON |^JSON is /,
    "What answers there does not answer as NSQ does: something else may listen on this port, or a proxy is in between.",
  ],
  [
    /^the answer has more than /,
    "It tells of more than is read: very many topics and channels, or something else than NSQ.",
  ],
  [/^invalid address$/, "What was told is no address: a host and a port."],
  [
    /^got response 401 /,
    "It wants a token: that of --nsqd-auth-token-file is missing, or another one.",
  ],
  [
    /^got response 403 /,
    "It does not let nsqadmin in: the token of --nsqd-auth-token-file lacks the role read, or a proxy is in between.",
  ],
  [
    /^got response 404 /,
    "Something else answers there, or an NSQ of another kind: the port may be that of another program.",
  ],
  [/^got response 503 .*LOADING/, "It was started, and still reads its data path."],
  [/^got response 5/, "It has a fault of its own: its log says more."],
  [/^got response /, "What answers there may be something else than NSQ."],
];
const TLS =
  "HTTPS fails: its certificate is not trusted here (--http-client-tls-root-ca-file), is for another name, is over, or it wants one from nsqadmin (--http-client-tls-cert).";
/** What the client says in front of what has happened, and whether it was asked over HTTPS. */
const REQUEST = /^(?:Get|Post) "(https?):\/\/[^"]*": /;

/** What may be behind the reason why somebody does not answer; undefined where that says it all. */
export function likelyCause(reason: string): string | undefined {
  const scheme = REQUEST.exec(reason);
  const words = reason.replace(REQUEST, "");
  const known = CAUSES.find(([pattern]) => pattern.test(words))?.[1];
  return known ?? (scheme?.[1] === "https" ? TLS : undefined);
}
