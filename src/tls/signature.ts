/**
 * Public keys in certificates, and what they have signed: the algorithms that Go takes in a chain of certificates, which
 * are those without MD5 and SHA-1.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { DER, derBytes, DerReader, hexOf } from "./der.ts";

/** Sizes of RSA keys, in bits: TLS does not work with smaller ones, nor Go with larger ones. */
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;
/** Larger keys the runtime does not read. */
const RSA_BITS_RUNTIME_MAX = 4096;
const RSA_EXPONENT_MAX = 2n ** 31n - 1n;

const OID = {
  rsa: "2a864886f70d010101",
  ec: "2a8648ce3d0201",
  ed25519: "2b6570",
  rsaPss: "2a864886f70d01010a",
};

/** SHA-2, as it is called, and identified: all but the last number of an identifier are the same. */
const HASHES = [
  { name: "sha256", oid: "608648016503040201", bytes: 32 },
  { name: "sha384", oid: "608648016503040202", bytes: 48 },
  { name: "sha512", oid: "608648016503040203", bytes: 64 },
] as const;
type Hash = typeof HASHES[number];

/** Identifiers of RSA's older scheme and of ECDSA, with the hash that is used. */
const ALGORITHMS: ReadonlyMap<string, { readonly scheme: "rsa" | "ecdsa"; readonly hash: Hash }> = new Map([
  ["2a864886f70d01010b", { scheme: "rsa", hash: HASHES[0] }],
  ["2a864886f70d01010c", { scheme: "rsa", hash: HASHES[1] }],
  ["2a864886f70d01010d", { scheme: "rsa", hash: HASHES[2] }],
  ["2a8648ce3d040302", { scheme: "ecdsa", hash: HASHES[0] }],
  ["2a8648ce3d040303", { scheme: "ecdsa", hash: HASHES[1] }],
  ["2a8648ce3d040304", { scheme: "ecdsa", hash: HASHES[2] }],
]);

/** How something was signed. */
export class SignatureAlgorithm {
  readonly scheme: "rsa" | "rsa-pss" | "ecdsa" | "ed25519";
  /** Ed25519 has its own. */
  readonly hash: Hash | undefined;

  private constructor(scheme: SignatureAlgorithm["scheme"], hash?: Hash) {
    this.scheme = scheme;
    this.hash = hash;
  }

  /** The algorithm with that identifier, in DER; undefined when it is not good, or not known. */
  static of(identifier: Uint8Array): SignatureAlgorithm | undefined {
    const fields = DerReader.only(identifier, DER.sequence);
    const oid = hexOf(fields.take(DER.oid).content);
    if (oid === OID.ed25519) return fields.done ? new SignatureAlgorithm("ed25519") : undefined;
    if (oid === OID.rsaPss) {
      const text = hexOf(identifier);
      const hash = HASHES.find((hash) => pssIdentifier(hash) === text);
      return hash && new SignatureAlgorithm("rsa-pss", hash);
    }
    const known = ALGORITHMS.get(oid);
    return known && new SignatureAlgorithm(known.scheme, known.hash);
  }
}

/** RSA-PSS has its hash twice among its parameters, and a salt as long as the hash; nobody uses others. */
function pssIdentifier({ oid, bytes }: Hash): string {
  const hash = `300d0609${oid}0500`;
  const mask = `301a06092a864886f70d010108${hash}`;
  const salt = bytes.toString(16);
  return `304106092a864886f70d01010a3034a00f${hash}a11c${mask}a2030201${salt}`;
}

/** The public key of a certificate. */
export class PublicKey {
  readonly #scheme: "rsa" | "ecdsa" | "ed25519";
  /** Absent of a key that is too large for the runtime. */
  readonly #key: KeyObject | undefined;
  readonly #rsa: { readonly modulus: bigint; readonly exponent: bigint; readonly bytes: number } | undefined;

  /** @throws {Error} When the key is of another kind, or not as large as it must be, or not one. */
  constructor(keyInfo: Uint8Array) {
    const fields = DerReader.only(keyInfo, DER.sequence);
    const oid = hexOf(new DerReader(fields.take(DER.sequence).content).take(DER.oid).content);
    const bytes = derBytes(fields.take(DER.bitString).content);
    fields.end();
    if (oid === OID.rsa) {
      this.#scheme = "rsa";
      this.#rsa = readRsa(bytes);
    } else if (oid === OID.ec) this.#scheme = "ecdsa";
    else if (oid === OID.ed25519) this.#scheme = "ed25519";
    else throw new SyntaxError(`Certificate with a key of kind ${oid}`);
    if (this.#rsa && this.#rsa.bytes > RSA_BITS_RUNTIME_MAX / 8) return;
    this.#key = createPublicKey({ key: Buffer.from(keyInfo), format: "der", type: "spki" });
  }

  /** True when the key has signed the bytes so. */
  verify({ scheme, hash }: SignatureAlgorithm, bytes: Uint8Array, signature: Uint8Array): boolean {
    if (this.#scheme !== (scheme === "rsa-pss" ? "rsa" : scheme)) return false;
    if (this.#rsa && signature.length !== this.#rsa.bytes) return false;
    if (!this.#key) {
      return scheme === "rsa" && hash !== undefined && this.#verifyLarge(hash, bytes, signature);
    }
    const padding = scheme === "rsa-pss"
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: hash?.bytes }
      : {};
    return verify(hash?.name, bytes, { key: this.#key, ...padding }, signature);
  }

  /** RSA's older scheme by hand: the signature to the power of the exponent is the one right text, or is not. */
  #verifyLarge(hash: Hash, bytes: Uint8Array, signature: Uint8Array): boolean {
    if (!this.#rsa) return false;
    const digest = createHash(hash.name).update(bytes).digest("hex");
    const length = hash.bytes.toString(16);
    const total = (hash.bytes + 17).toString(16);
    const end = `00` + `30${total}300d0609${hash.oid}050004${length}${digest}`;
    const expected = `0001${"ff".repeat(this.#rsa.bytes - 2 - end.length / 2)}${end}`;
    const value = BigInt(`0x${hexOf(signature)}`);
    if (value >= this.#rsa.modulus) return false;
    return power(value, this.#rsa.exponent, this.#rsa.modulus) === BigInt(`0x${expected}`);
  }
}

function readRsa(der: Uint8Array): { modulus: bigint; exponent: bigint; bytes: number } {
  const fields = DerReader.only(der, DER.sequence);
  const [modulus, exponent] = [fields.take(DER.integer).content, fields.take(DER.integer).content].map(
    (content) => {
      if (content.length === 0 || content[0] >= 0x80) throw new SyntaxError("RSA key with a negative number");
      return BigInt(`0x${hexOf(content)}`);
    },
  );
  fields.end();
  const bits = modulus.toString(2).length;
  if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) throw new RangeError(`RSA key of ${bits} bits`);
  if (exponent < 3n || exponent > RSA_EXPONENT_MAX || exponent % 2n === 0n) {
    throw new RangeError("RSA key with an odd exponent");
  }
  return { modulus, exponent, bytes: Math.ceil(bits / 8) };
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = result * result % modulus;
    if (bit === "1") result = result * base % modulus;
  }
  return result;
}
