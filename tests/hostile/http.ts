/**
 * Attacks on nsqd's HTTP and HTTPS ports.
 *
 * @module
 */

import { bytesOf } from "../support/frames.ts";
import { clientFrame } from "../support/websocket_frames.ts";
import type { HostileScenario } from "./scenario.ts";
import { crowd, dripping, flooding, type Leaving, stranger } from "./strangers.ts";

const KIB = 1024;
/** Of each kind. */
const STRANGERS = 10;
const PUB = "POST /pub?topic=hostile HTTP/1.1\r\nHost: h\r\n";
const PING = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";
/** Nearly as much as `/mpub` takes, but for its last byte. */
const LARGE_BODY_SIZE = 5_000_000;
const LARGE_BODY =
  `POST /mpub?topic=hostile HTTP/1.1\r\nHost: h\r\nContent-Length: ${LARGE_BODY_SIZE}\r\n\r\n` +
  "x".repeat(LARGE_BODY_SIZE - 1);

/** Limits so low that they are met; whoever works is never idle for as long. */
const LIMITS = [
  "--http-header-timeout=500ms",
  "--http-body-timeout=500ms",
  "--http-idle-timeout=3s",
  "--write-timeout=3s",
];

/** Who sends nothing, or too little, and stays. */
const HALVES: readonly string[] = [
  "",
  "GET /ping HTTP/1.1\r\nHos",
  `${PUB}Content-Length: 100000\r\n\r\n`,
  `${PUB}Content-Length: 100\r\n\r\nhello`,
  `${PUB}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
  `${PUB}Transfer-Encoding: chunked\r\n\r\nffff\r\n`,
  PING,
];

/** What is sent first, and then byte by byte. */
const DRIPS: readonly string[] = [
  "GET /ping HTTP/1.1\r\nHost: h\r\nX: ",
  `${PUB}Content-Length: 100000\r\n\r\n`,
];

/** What is sent first, and then again and again. */
const FLOODS: readonly (readonly [first: string, more: string])[] = [
  ["GET / HTTP/1.1\r\nHost: h\r\nX: ", "x".repeat(64 * KIB)],
  ["GET / HTTP/1.1\r\nHost: h\r\n", "a:\r\n".repeat(16 * KIB)],
  [`${PUB}Transfer-Encoding: chunked\r\n\r\n`, "1\r\nx\r\n".repeat(8 * KIB)],
  [`${PUB}Content-Length: 99999999999\r\n\r\n`, "x".repeat(64 * KIB)],
  // Its answers are never read.
  ["", PING.repeat(500)],
];

const BAD_REQUESTS: readonly string[] = [
  `GET ${"/a".repeat(500 * KIB)} HTTP/1.1\r\nHost: h\r\n\r\n`,
  `POST /topic/create?${"a&".repeat(500 * KIB)} HTTP/1.1\r\nHost: h\r\n\r\n`,
  `${PUB}Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello`,
  `${PUB}Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${PING}`,
  "GET /ping HTTP/1.1\r\nHost: h/topic/create?topic=hostile&x=\r\n\r\n",
  "GET /\x1b[31m%0a[nsqd]\x9b HTTP/1.1\r\nHost: h\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
];

/** Who waits for messages, among so many that most are refused. */
const WAITERS = 2000;
const WAIT =
  "POST /receive?topic=hostile&channel=none&wait=2s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** So many bytes, published again and again, are more than the system keeps for a client that does not read. */
const LARGE_MESSAGE = `${PUB}Content-Length: 1000000\r\n\r\n${"x".repeat(1_000_000)}`;
const LARGE_MESSAGES = 20;
/** Streams that are never read, each on a channel of its own. */
const DEAF_STREAMS = 10;

const SOCKET =
  "GET /v2 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/** What is sent on a WebSocket first, and then again and again. */
const SOCKET_FLOODS: readonly (readonly [first: string, more: Uint8Array])[] = [
  [SOCKET, clientFrame({ opcode: 9, data: new Uint8Array(125) })],
  [SOCKET, clientFrame({ opcode: 2, data: new Uint8Array(64 * KIB) })],
  [SOCKET, clientFrame({ opcode: 2 })],
  [SOCKET, clientFrame({ opcode: 0, isLast: false })],
];
/** What is sent on one by who stays then. */
const SOCKET_HALVES: readonly Uint8Array[] = [
  new Uint8Array(0),
  Uint8Array.of(0x82),
  clientFrame({ opcode: 2, length: 2n ** 40n }),
  clientFrame({ opcode: 2, isLast: false, data: bytesOf("  V2PUB t\n") }),
];

/** Leases that nobody has ever had, and what is none, as many as a request may have. */
function forgedLeases(path: string, i: number): string {
  const leases = Array.from(
    { length: 1000 },
    (_, n) => `${(n * 7919 + i).toString(16).padStart(16, "0")}.${n % 3}.abcdefgh`,
  );
  const body = [...leases.slice(0, -1), "x".repeat(1000)].join("\n");
  return `POST ${path}?topic=hostile&channel=c HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const HALF_HANDSHAKES: readonly string[] = ["", "\x16\x03\x01\x02\x00\x01\x00", PING];

/** The scenarios. */
export const HTTP_SCENARIOS: readonly HostileScenario[] = [
  {
    name: "HTTP: halves of requests, and clients that stay or vanish",
    program: "nsqd",
    args: LIMITS,
    attack: ({ httpAddress }) => each(HALVES, (text, leaving) => stranger(httpAddress, [text], leaving)),
  },
  {
    name: "HTTP: heads and bodies that come byte by byte",
    program: "nsqd",
    args: LIMITS,
    attack: ({ httpAddress }) => each(DRIPS, (text) => dripping(httpAddress, text)),
  },
  {
    name: "HTTP: heads, bodies and requests without end",
    program: "nsqd",
    args: LIMITS,
    attack: ({ httpAddress }) => each(FLOODS, ([first, more]) => flooding(httpAddress, first, more)),
  },
  {
    name: "HTTP: large bodies without their end",
    program: "nsqd",
    args: [...LIMITS, "--http-max-bodies-size=50000000"],
    attack: ({ httpAddress }) =>
      each([LARGE_BODY, LARGE_BODY], (text, leaving) => stranger(httpAddress, [text], leaving)),
  },
  {
    name: "HTTP: requests that are none, too long, or mean two things",
    program: "nsqd",
    args: LIMITS,
    attack: ({ httpAddress }) => each(BAD_REQUESTS, (text) => stranger(httpAddress, [text], "closed")),
  },
  {
    name: "HTTP: more clients than there may be",
    program: "nsqd",
    args: [...LIMITS, "--http-max-connections=20"],
    attack: ({ httpAddress }) => each(HALVES, (text) => stranger(httpAddress, [text])),
  },
  {
    name: "HTTP: more who wait for messages than there may be, and who vanish",
    program: "nsqd",
    args: [...LIMITS, "--http-max-connections-per-address=0", "--http-max-waiters=500"],
    attack: ({ httpAddress }) =>
      crowd(WAITERS, (i) => stranger(httpAddress, [WAIT], i % 4 === 0 ? "vanishing" : "refused")),
  },
  {
    name: "HTTP: streams of events that nobody reads",
    program: "nsqd",
    args: LIMITS,
    attack: async ({ httpAddress }) => {
      const listening = crowd(DEAF_STREAMS, (i) => {
        const target = `/subscribe?topic=hostile&channel=c${i}%23ephemeral&ack=auto&max_in_flight=2500`;
        return flooding(httpAddress, `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`, PING.repeat(500));
      });
      for (let i = 0; i < LARGE_MESSAGES; i++) await stranger(httpAddress, [LARGE_MESSAGE], "closed");
      await listening;
    },
  },
  {
    name: "HTTP: leases that are forged, and channels that are not there",
    program: "nsqd",
    args: LIMITS,
    attack: async ({ httpAddress }, random) => {
      await stranger(httpAddress, [WAIT.replace("none", "c").replace("2s", "0")]);
      await each(
        ["/finish", "/requeue", "/touch", "/receive"],
        (path, leaving) => stranger(httpAddress, [forgedLeases(path, random.below(1e6))], leaving),
      );
    },
  },
  {
    name: "HTTP: WebSockets with halves of frames, and frames without end",
    program: "nsqd",
    args: [...LIMITS, "--handshake-timeout=500ms", "--command-timeout=500ms"],
    attack: async ({ httpAddress }) => {
      await Promise.all([
        each(SOCKET_HALVES, (bytes, leaving) => stranger(httpAddress, [SOCKET, bytes], leaving)),
        each(SOCKET_FLOODS, ([first, more]) => flooding(httpAddress, first, more)),
      ]);
    },
  },
  {
    name: "HTTPS: halves of handshakes, and what is none",
    program: "nsqd",
    args: LIMITS,
    onHttps: true,
    attack: ({ httpsAddress }) =>
      each(HALF_HANDSHAKES, (text, leaving) => stranger(httpsAddress, [text], leaving)),
  },
];

/** All kinds at the same time, by some strangers each; every other one of them vanishes where it may. */
async function each<Kind>(
  kinds: readonly Kind[],
  act: (kind: Kind, leaving: Leaving) => Promise<void>,
): Promise<void> {
  await crowd(kinds.length * STRANGERS, (i) => {
    const leaving = Math.floor(i / kinds.length) % 2 === 0 ? "refused" : "vanishing";
    return act(kinds[i % kinds.length], leaving);
  });
}
