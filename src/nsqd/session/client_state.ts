/**
 * The states of a TCP client.
 *
 * @module
 */

/** States by NSQ's numbers, as `/stats` shows them (nsqd/client_v2.go). */
export const CLIENT_STATE = { init: 0, subscribed: 3, closing: 4 } as const;
/** One of the states. */
export type ClientState = typeof CLIENT_STATE[keyof typeof CLIENT_STATE];
