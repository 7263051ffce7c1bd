import { assertEquals, assertRejects } from "@std/assert";
import type { AuditEvent } from "../../../src/base/audit_log.ts";
import { AuthState } from "../../../src/nsqd/session/auth.ts";
import { auditedAuth } from "../../../src/nsqd/session/audited_auth.ts";
import { SharedRules } from "../../../src/nsqd/session/auth_rules.ts";
import { ALLOW_ALL } from "../../support/auth_server.ts";

const PLAIN = { remoteAddress: "10.0.0.1:5001", tls: undefined };

const answered = (answer: unknown) => AuthState.read(answer, new SharedRules(), 0);

function notes(): { events: unknown[]; audit: { note: (event: AuditEvent) => void } } {
  const events: unknown[] = [];
  return { events, audit: { note: (event) => void events.push(JSON.parse(JSON.stringify(event))) } };
}

Deno.test("auditedAuth() notes whom an auth server knows, and passes it on", async () => {
  const { events, audit } = notes();
  const state = await answered(ALLOW_ALL);
  const tls = { version: "TLS1.3", cipherSuite: "x", commonName: "worker" };

  assertEquals(await auditedAuth(audit, { ...PLAIN, tls }, Promise.resolve(state)), state);

  assertEquals(events, [
    {
      event: "auth",
      address: "10.0.0.1:5001",
      tls: true,
      common_name: "worker",
      result: "ok",
      identity: "somebody",
      permissions: 1,
    },
  ]);
});

Deno.test("auditedAuth() notes a client that may do nothing as refused", async () => {
  const { events, audit } = notes();

  await auditedAuth(audit, PLAIN, answered({ ttl: 60, authorizations: [] }));

  assertEquals(events, [
    { event: "auth", address: "10.0.0.1:5001", tls: false, result: "refused", identity: "", permissions: 0 },
  ]);
});

Deno.test("auditedAuth() notes why no server has answered, and fails with it", async () => {
  const { events, audit } = notes();
  const error = new Error("failed to auth against a:1 - refused");

  assertEquals(await assertRejects(() => auditedAuth(audit, PLAIN, Promise.reject(error))), error);

  assertEquals(events, [
    { event: "auth", address: "10.0.0.1:5001", tls: false, result: "failed", reason: error.message },
  ]);
});

Deno.test("auditedAuth() does without an audit log", async () => {
  const state = await answered(ALLOW_ALL);

  assertEquals(await auditedAuth(undefined, PLAIN, Promise.resolve(state)), state);
});
