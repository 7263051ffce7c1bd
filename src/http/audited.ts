/**
 * Lines of the audit log for requests that change something.
 *
 * @module
 */

import type { Audit } from "../base/audit_log.ts";
import type { Responder } from "./decorators.ts";

/** Notes who has made each request, and what became of it; without an audit log nothing is different. */
export function audited(audit: Audit | undefined, responder: Responder): Responder {
  if (audit === undefined) return responder;
  return async (context) => {
    let status = 500;
    try {
      const answer = await responder(context);
      status = answer.status;
      return answer;
    } finally {
      const { remoteAddress: address, client: token, method, target, detail: value } = context;
      audit.note({ event: "admin", address, token, method, target, value, status });
    }
  };
}
