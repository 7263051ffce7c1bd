/**
 * Public keys in certificates, and what they have signed: the algorithms that Go takes in a chain of certificates, which
 * are those without MD5 and SHA-1.
 *
 * @module
 */

import { DER, derBytes, DerReader, hexOf } from "./der.ts";

/** Sizes of RSA keys, in bits: TLS does not work with smaller ones, nor Go with larger ones. */
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;
/** Larger ones the runtime does not work with. */
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
  { name: "SHA-256", oid: "608648016503040201", bytes: 32 },
  { name: "SHA-384", oid: "608648016503040202", bytes: 48 },
  { name: "SHA-512", oid: "608648016503040203", bytes: 64 },
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

/** Curves of ECDSA, with the length of their numbers. */
const CURVES = [
  { name: "P-256", oid: "2a8648ce3d030107", bytes: 32 },
  { name: "P-384", oid: "2b81040022", bytes: 48 },
  { name: "P-521", oid: "2b81040023", bytes: 66 },
] as const;
type Curve = typeof CURVES[number];

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
  readonly #keyInfo: Uint8Array<ArrayBuffer>;
  readonly #curve: Curve | undefined;
  readonly #rsa: { readonly modulus: bigint; readonly exponent: bigint; readonly bytes: number } | undefined;

  /** @throws {Error} When the key is of another kind, or not as large as it must be, or not one. */
  constructor(keyInfo: Uint8Array) {
    this.#keyInfo = Uint8Array.from(keyInfo);
    const fields = DerReader.only(keyInfo, DER.sequence);
    const algorithm = new DerReader(fields.take(DER.sequence).content);
    const oid = hexOf(algorithm.take(DER.oid).content);
    const bytes = derBytes(fields.take(DER.bitString).content);
    fields.end();
    if (oid === OID.rsa) {
      this.#scheme = "rsa";
      this.#rsa = readRsa(bytes);
    } else if (oid === OID.ec) {
      this.#scheme = "ecdsa";
      const curve = hexOf(algorithm.take(DER.oid).content);
      this.#curve = CURVES.find(({ oid }) => oid === curve);
      if (!this.#curve) throw new SyntaxError(`Certificate with a key on curve ${curve}`);
    } else if (oid === OID.ed25519) this.#scheme = "ed25519";
    else throw new SyntaxError(`Certificate with a key of kind ${oid}`);
  }

  /** True when the key has signed the bytes so. Rejects when the key is none. */
  async verify(
    { scheme, hash }: SignatureAlgorithm,
    bytes: Uint8Array<ArrayBuffer>,
    signature: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> {
    if (this.#scheme !== (scheme === "rsa-pss" ? "rsa" : scheme)) return false;
    if (hash === undefined) return await this.#ask({ name: "Ed25519" }, bytes, signature);
    if (this.#curve) {
      const { name, bytes: length } = this.#curve;
      const numbers = twoNumbers(signature, length);
      const asked = { name: "ECDSA", namedCurve: name, hash: hash.name };
      return numbers !== undefined && await this.#ask(asked, bytes, numbers);
    }
    if (!this.#rsa || signature.length !== this.#rsa.bytes) return false;
    if (scheme === "rsa-pss") {
      return await this.#ask({ name: "RSA-PSS", hash: hash.name, saltLength: hash.bytes }, bytes, signature);
    }
    if (this.#rsa.bytes <= RSA_BITS_RUNTIME_MAX / 8) {
      return await this.#ask({ name: "RSASSA-PKCS1-v1_5", hash: hash.name }, bytes, signature);
    }
    return await this.#verifyLarge(hash, bytes, signature);
  }

  async #ask(
    algorithm: AlgorithmIdentifier & Partial<EcKeyImportParams & RsaHashedImportParams & RsaPssParams>,
    bytes: Uint8Array<ArrayBuffer>,
    signature: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> {
    const key = await crypto.subtle.importKey("spki", this.#keyInfo, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, key, signature, bytes);
  }

  /** RSA's older scheme by hand: the signature to the power of the exponent is the one right text, or is not. */
  async #verifyLarge(
    hash: Hash,
    bytes: Uint8Array<ArrayBuffer>,
    signature: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> {
    if (!this.#rsa) return false;
    const digest = hexOf(new Uint8Array(await crypto.subtle.digest(hash.name, bytes)));
    const length = hash.bytes.toString(16);
    const total = (hash.bytes + 17).toString(16);
    const end = `0030${total}300d0609${hash.oid}050004${length}${digest}`;
    const expected = `0001${"ff".repeat(this.#rsa.bytes - 2 - end.length / 2)}${end}`;
    const value = BigInt(`0x${hexOf(signature)}`);
    if (value >= this.#rsa.modulus) return false;
    return power(value, this.#rsa.exponent, this.#rsa.modulus) === BigInt(`0x${expected}`);
  }
}

/** ECDSA's two numbers of so many bytes each, one after the other, as Web Crypto takes them; undefined when they are not. */
function twoNumbers(signature: Uint8Array, length: number): Uint8Array<ArrayBuffer> | undefined {
  const numbers = new Uint8Array(2 * length);
  try {
    const fields = DerReader.only(signature, DER.sequence);
    for (const end of [length, 2 * length]) {
      const { content } = fields.take(DER.integer);
      const number = content[0] === 0 ? content.subarray(1) : content;
      if (content.length === 0 || content[0] >= 0x80 || number.length > length) return undefined;
      numbers.set(number, end - number.length);
    }
    fields.end();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return numbers;
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
