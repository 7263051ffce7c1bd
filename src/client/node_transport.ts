/**
 * The transport that is used when none is given: what an address says.
 *
 * @module
 */

import { HTTP_TRANSPORT } from "./http_transport.ts";
import type { Transport } from "./link.ts";
import { SOCKET_TRANSPORT } from "./socket_transport.ts";
import { WEBSOCKET_TRANSPORT } from "./websocket_transport.ts";

const BY_KIND = {
  tcp: SOCKET_TRANSPORT,
  tls: SOCKET_TRANSPORT,
  unix: SOCKET_TRANSPORT,
  websocket: WEBSOCKET_TRANSPORT,
  http: HTTP_TRANSPORT,
} as const;

/** Sockets, WebSockets and HTTP. */
export const NODE_TRANSPORT: Transport = {
  connect: (address, options) => BY_KIND[address.kind].connect(address, options),
};
