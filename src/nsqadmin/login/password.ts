/**
 * Passwords, of which nothing is kept but hashes by scrypt (RFC 7914) in the form that the field writes them in (PHC):
 *
 * ```
 *  $scrypt$ln=14,r=8,p=1$<salt>$<hash>      both in base64 without padding; 2^ln is the cost, r and p as in the RFC
 * ```
 *
 * A hash takes 128 · r · 2^ln bytes of memory, and, with what is made here, some 50 ms of another thread.
 *
 * @module
 */

import { fromNode } from "../../base/from_node.ts";

const nodeCrypto = fromNode("node:crypto");

/** A hash with what it was made from, beside the password. */
export interface PasswordHash {
  /** The logarithm of the cost, by 2. */
  readonly ln: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** The least and the highest `ln` that is taken: 64 MiB of memory. */
export const LN_MIN = 10;
/** See above. */
export const LN_MAX = 16;
/** The highest `p` that is taken. */
export const P_MAX = 4;
/** The longest password, in UTF-16 code units. */
export const PASSWORD_LENGTH_MAX = 1024;

const LN = 14;
/** The only one that is taken. */
const R = 8;
const SALT_SIZE = 16;
const HASH_SIZE = 32;
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=8,p=(\d)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
/** Bytes of a salt and of a hash that are taken. */
const SIZES = { min: 16, max: 64 };

/** The hash that a text says; `undefined` if it says none, or one that is out of bounds. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const [, lnText, pText, saltText = "", hashText = ""] = FORM.exec(text) ?? [];
  const [ln, p] = [Number(lnText), Number(pText)];
  if (!(ln >= LN_MIN && ln <= LN_MAX && p >= 1 && p <= P_MAX)) return undefined;
  const [salt, hash] = [bytesOf(saltText), bytesOf(hashText)];
  return salt === undefined || hash === undefined ? undefined : { ln, p, salt, hash };
}

/** The text of a hash of the password, with a salt of its own. */
export async function passwordHash(password: string, ln: number = LN): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_SIZE));
  const hash = await derive(password, { ln, p: 1, salt, hash: new Uint8Array(HASH_SIZE) });
  return `$scrypt$ln=${ln},r=${R},p=1$${base64(salt)}$${base64(hash)}`;
}

/** Whether that is the password; it takes as long if it is not. */
export async function isPassword(password: string, of: PasswordHash): Promise<boolean> {
  return nodeCrypto().timingSafeEqual(await derive(password, of), of.hash);
}

/** A hash that no password has. */
export function decoyHash(): PasswordHash {
  const random = (size: number) => crypto.getRandomValues(new Uint8Array(size));
  return { ln: LN, p: 1, salt: random(SALT_SIZE), hash: random(HASH_SIZE) };
}

function derive(password: string, { ln, p, salt, hash }: PasswordHash): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const [N, size] = [2 ** ln, hash.length];
  // Twice what it needs, for what is beside the large table.
  const cost = { N, r: R, p, maxmem: 2 * 128 * R * N };
  // Not every keyboard writes an é in the same way.
  nodeCrypto().scrypt(password.normalize("NFC"), salt, size, cost, (error, key) => {
    if (error === null) resolve(key);
    else reject(error);
  });
  return promise;
}

function bytesOf(text: string): Uint8Array | undefined {
  // One character more than whole bytes have.
  if (text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.fromBase64(text);
  return bytes.length >= SIZES.min && bytes.length <= SIZES.max ? bytes : undefined;
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}
