/**
 * Users who log in to an nsqadmin, whose passwords cost next to nothing to check.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { LN_MIN, passwordHash } from "../../src/nsqadmin/login/password.ts";
import { UserFile } from "../../src/nsqadmin/login/user_file.ts";
import type { AdminAnswer, NsqadminInProcess } from "./nsqadmin_in_process.ts";

/** What stands in a file for a password. */
export function cheapHash(password: string): Promise<string> {
  return passwordHash(password, LN_MIN);
}

/** What stands in a file for a token. */
export function tokenHash(token: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")}`;
}

/** The password of everybody in {@linkcode usersOf}. */
export const PASSWORD = "correct horse";
const HASH = await cheapHash(PASSWORD);

/** Lines of a file of users with that password. */
export function userLines(roles: Readonly<Record<string, string>>): string {
  return Object.entries(roles).map(([name, list]) => `${name} ${list} ${HASH}\n`).join("");
}

/** Users by their names, with their roles and one password. */
export function usersOf(roles: Readonly<Record<string, string>>): UserFile {
  return UserFile.parse(userLines(roles), "users");
}

/** Sends the form of the login page. */
export function submitLogin(
  admin: NsqadminInProcess,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<AdminAnswer> {
  const body = new URLSearchParams(fields).toString();
  return admin.ask("POST", `${admin.nsqadmin.options.basePath.replace(/\/$/, "")}/login`, {
    body,
    headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
  });
}

/** Logs somebody in; returns the headers of a browser that has. */
export async function logIn(
  admin: NsqadminInProcess,
  user: string,
  password: string = PASSWORD,
): Promise<{ Cookie: string }> {
  const { status, headers } = await submitLogin(admin, { user, password });
  assertEquals(status, 303);
  return { Cookie: (headers.get("set-cookie") ?? "").split(";")[0] };
}

/** The header of HTTP's Basic. */
export function basic(user: string, password: string = PASSWORD): { Authorization: string } {
  return { Authorization: `Basic ${btoa(`${user}:${password}`)}` };
}
