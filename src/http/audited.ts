/**
 * Lines of the audit log for requests that change something.
 *
 * @module
 */

import type { Audit } from "../base/audit_log.ts";
import { answered, type Responder } from "./decorators.ts";

/** Notes who has made each request, and what became of it; without an audit log nothing is different. */
export function audited(audit: Audit | undefined, responder: Responder): Responder {
  if (audit === undefined) return responder;
  return answered(responder, (context, status) => {
    const { remoteAddress: address, client: token, method, target, detail: value } = context;
    audit.note({ event: "admin", address, token, method, target, value, status });
  });
}
