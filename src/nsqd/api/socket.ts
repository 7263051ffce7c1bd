/**
 * `GET /v2`: protocol V2 over a WebSocket. The client sends what it would send over TCP, beginning with the magic, and gets
 * the same frames; where messages of the WebSocket begin and end means nothing.
 *
 * @module
 */
import type { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { tooMany } from "../queue/refusals.ts";
import { consumeParams } from "./consume.ts";
import type { ApiContext } from "./context.ts";

/** The subprotocol. */
export const SOCKET_PROTOCOL = "nsq.v2";

/** `GET /v2` */
export function openSocket(nsqd: ApiContext, request: RequestContext): Answer {
  consumeParams(nsqd, request);
  const { sockets } = nsqd;
  if (sockets === undefined) throw new HttpError(501, "NO_PROTOCOL_V2");
  if (sockets.count >= nsqd.options.httpMaxStreams) throw tooMany("STREAMS");
  const { permits } = request;
  return request.request.upgrade({
    protocol: SOCKET_PROTOCOL,
    serve: (connection) => sockets.serve(connection, { tls: request.request.tls, permits }),
  });
}
