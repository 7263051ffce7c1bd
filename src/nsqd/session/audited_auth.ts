/**
 * Lines of the audit log for what auth servers say of clients, when they are asked for the first time and again.
 *
 * @module
 */

import type { Audit } from "../../base/audit_log.ts";
import { errorText } from "../../base/error_text.ts";
import type { AuthState } from "./auth.ts";
import type { AskedClient } from "./authorizer.ts";

/** The same, noted when it has settled; without an audit log nothing is different. */
export async function auditedAuth(
  audit: Audit | undefined,
  { remoteAddress: address, tls }: AskedClient,
  asked: Promise<AuthState>,
): Promise<AuthState> {
  const client = {
    event: "auth",
    address,
    tls: tls !== undefined,
    common_name: tls?.commonName || undefined,
  };
  try {
    const state = await asked;
    const { identity, rules: { count: permissions } } = state;
    audit?.note({ ...client, result: permissions > 0 ? "ok" : "refused", identity, permissions });
    return state;
  } catch (error) {
    audit?.note({ ...client, result: "failed", reason: errorText(error) });
    throw error;
  }
}
