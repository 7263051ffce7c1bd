/**
 * The transport that is used when none is given: what an address says.
 *
 * @module
 */

import type { Transport } from "./link.ts";
import { SOCKET_TRANSPORT } from "./socket_transport.ts";
import { WEBSOCKET_TRANSPORT } from "./websocket_transport.ts";

/** Sockets and WebSockets. */
export const NODE_TRANSPORT: Transport = {
  connect: (address, options) =>
    (address.kind === "websocket" ? WEBSOCKET_TRANSPORT : SOCKET_TRANSPORT).connect(address, options),
};
