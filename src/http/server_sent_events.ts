/**
 * What all streams of Server-Sent Events have in common (HTML, "Server-sent events"). Events are encoded by whoever sends them.
 *
 * @module
 */

import { HeaderBlock } from "./answer.ts";

/** Of the answer. */
export const EVENT_STREAM_HEADERS = new HeaderBlock([
  ["Content-Type", "text/event-stream"],
  ["Cache-Control", "no-store"],
  ["X-Content-Type-Options", "nosniff"],
  // For nginx, which would gather what it passes on.
  ["X-Accel-Buffering", "no"],
]);

/** What a stream begins with: when a client is to connect again that has lost its connection. */
export const FIRST_EVENT = "retry: 2000\n\n";
/** A comment, which is no event. */
export const EVENT_STREAM_BEAT = ":\n\n";
/** It is sent after so long, whatever else is: proxies cut what is silent, in ms. */
export const EVENT_STREAM_BEAT_INTERVAL_MS = 15_000;
