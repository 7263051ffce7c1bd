/**
 * An X.509 certificate (RFC 5280), as far as it matters for whether clients are who they say they are: read as Go's
 * crypto/x509 reads it, in one way only, so that no two readers of the same bytes can see different certificates. What
 * Node's X509Certificate is given may be taken for the text of another certificate that lies inside, so it has no part in this.
 *
 * @module
 */

import {
  DER,
  derBoolean,
  derBytes,
  derNumber,
  DerReader,
  derTimeMs,
  hexOf,
  inPlace,
  sameBytes,
} from "./der.ts";
import { EMPTY_NAMES, type NameConstraints, type Names, readConstraints, readNames } from "./names.ts";
import { PublicKey, SignatureAlgorithm } from "./signature.ts";

/** Identifiers of extensions, by their last number: they are all 2.5.29.x. */
const EXTENSION = {
  subjectKeyId: 14,
  keyUsage: 15,
  names: 17,
  basicConstraints: 19,
  nameConstraints: 30,
  distributionPoints: 31,
  policies: 32,
  policyMappings: 33,
  authorityKeyId: 35,
  policyConstraints: 36,
  extendedKeyUsage: 37,
  inhibitAnyPolicy: 54,
} as const;

/** Those of which nothing is to be read: policies matter only where they are required. */
const UNDERSTOOD: readonly number[] = [
  EXTENSION.distributionPoints,
  EXTENSION.policies,
  EXTENSION.policyMappings,
  EXTENSION.authorityKeyId,
  EXTENSION.policyConstraints,
  EXTENSION.inhibitAnyPolicy,
];

const OID_EXTENSION = "551d";
const OID_AUTHORITY_INFO = "2b06010505070101";
/** In the first byte of a key's usage. */
const MAY_SIGN_CERTIFICATES = 0x04;

/** A certificate. */
export class Certificate {
  readonly der: Uint8Array;
  /** 1 to 3. */
  readonly version: number;
  /** Names in DER: they are compared byte by byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** The key's algorithm and the key, in DER. */
  readonly keyInfo: Uint8Array;
  /** What it says of being an authority; absent when it says nothing. */
  readonly authority: { readonly isAuthority: boolean; readonly pathLengthMax: number } | undefined;
  /** The usages that it names, as hexadecimal identifiers; absent when any is as good as another. */
  readonly usages: readonly string[] | undefined;
  /** The alternative names, in DER; absent when it has none. */
  readonly alternativeNames: Uint8Array | undefined;
  readonly names: Names = EMPTY_NAMES;
  readonly nameConstraints: NameConstraints | undefined;
  /** Those below it must have been given under policies. */
  readonly requiresPolicies: boolean;
  /** Why it cannot be judged: it demands something that is not understood here. */
  readonly demand: string | undefined;
  readonly #keyUsage: Uint8Array | undefined;
  readonly #signed: Uint8Array<ArrayBuffer>;
  readonly #signatureAlgorithm: Uint8Array;
  readonly #signature: Uint8Array<ArrayBuffer>;
  #publicKey: PublicKey | undefined;

  /** @throws {SyntaxError} When it is not one. */
  constructor(der: Uint8Array) {
    this.der = der;
    const outer = DerReader.only(der, DER.sequence);
    const signed = outer.take(DER.sequence);
    this.#signed = Uint8Array.from(signed.whole);
    this.#signatureAlgorithm = outer.take(DER.sequence).whole;
    this.#signature = Uint8Array.from(derBytes(outer.take(DER.bitString).content));
    outer.end();

    const fields = new DerReader(signed.content);
    const version = fields.takeIf(inPlace(0, "made"));
    this.version = version ? 1 + onlyNumber(version.content) : 1;
    if (this.version > 3) throw new SyntaxError("Certificate of an unknown version");
    const serial = fields.take(DER.integer).content;
    if (serial.length === 0 || serial[0] >= 0x80) {
      throw new SyntaxError("Certificate with a negative serial number");
    }
    if (!sameBytes(fields.take(DER.sequence).whole, this.#signatureAlgorithm)) {
      throw new SyntaxError("Certificate with two signature algorithms");
    }
    this.issuer = fields.take(DER.sequence).whole;
    const validity = new DerReader(fields.take(DER.sequence).content);
    this.notBeforeMs = derTimeMs(validity.next());
    this.notAfterMs = derTimeMs(validity.next());
    validity.end();
    this.subject = fields.take(DER.sequence).whole;
    this.keyInfo = fields.take(DER.sequence).whole;
    // Numbers of issuer and subject, which nobody uses.
    fields.takeIf(inPlace(1, "plain"));
    fields.takeIf(inPlace(2, "plain"));
    const extensions = fields.takeIf(inPlace(3, "made"));
    fields.end();

    const read = readExtensions(extensions?.content);
    if (read.size > 0 && this.version !== 3) {
      throw new SyntaxError("Certificate with extensions before version 3");
    }
    this.authority = readAuthority(valueOf(read, EXTENSION.basicConstraints));
    this.usages = readUsages(valueOf(read, EXTENSION.extendedKeyUsage));
    this.alternativeNames = valueOf(read, EXTENSION.names);
    if (this.alternativeNames) this.names = readNames(this.alternativeNames);
    const constraints = valueOf(read, EXTENSION.nameConstraints);
    this.nameConstraints = constraints && readConstraints(constraints);
    this.#keyUsage = readKeyUsage(valueOf(read, EXTENSION.keyUsage));
    this.requiresPolicies = valueOf(read, EXTENSION.policyConstraints) !== undefined;
    this.demand = demandOf(read, this);
  }

  /** Its public key. @throws {SyntaxError | Error} When it is of no kind that is known. */
  get publicKey(): PublicKey {
    return this.#publicKey ??= new PublicKey(this.keyInfo);
  }

  /** True when it may sign others: it says so, as far as its version lets it. */
  get maySign(): boolean {
    if (this.authority ? !this.authority.isAuthority : this.version === 3) return false;
    return this.#keyUsage === undefined || (this.#keyUsage[0] & MAY_SIGN_CERTIFICATES) !== 0;
  }

  /** True when that key has signed it, in a way that is still good. */
  async isSignedWith(key: PublicKey): Promise<boolean> {
    const algorithm = SignatureAlgorithm.of(this.#signatureAlgorithm);
    return algorithm !== undefined && await key.verify(algorithm, this.#signed, this.#signature);
  }

  /** True when both are the same certificate. */
  equals(other: Certificate): boolean {
    return sameBytes(this.der, other.der);
  }
}

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

function readExtensions(der: Uint8Array | undefined): ReadonlyMap<string, Extension> {
  const read = new Map<string, Extension>();
  if (!der) return read;
  for (const list = DerReader.only(der, DER.sequence); !list.done;) {
    const fields = new DerReader(list.take(DER.sequence).content);
    const id = hexOf(fields.take(DER.oid).content);
    const critical = fields.takeIf(DER.boolean);
    const value = fields.take(DER.octetString).content;
    fields.end();
    if (read.has(id)) throw new SyntaxError("Certificate with the same extension twice");
    read.set(id, { critical: critical !== undefined && derBoolean(critical.content), value });
  }
  return read;
}

function valueOf(extensions: ReadonlyMap<string, Extension>, number: number): Uint8Array | undefined {
  return extensions.get(idOf(number))?.value;
}

function idOf(number: number): string {
  return OID_EXTENSION + number.toString(16).padStart(2, "0");
}

function onlyNumber(der: Uint8Array): number {
  const reader = new DerReader(der);
  const value = derNumber(reader.take(DER.integer).content);
  reader.end();
  return value;
}

function readAuthority(der: Uint8Array | undefined): Certificate["authority"] {
  if (!der) return undefined;
  const fields = DerReader.only(der, DER.sequence);
  const isAuthority = fields.takeIf(DER.boolean);
  const pathLength = fields.takeIf(DER.integer);
  fields.end();
  return {
    isAuthority: isAuthority !== undefined && derBoolean(isAuthority.content),
    pathLengthMax: pathLength ? derNumber(pathLength.content) : Infinity,
  };
}

function readUsages(der: Uint8Array | undefined): readonly string[] | undefined {
  if (!der) return undefined;
  const usages: string[] = [];
  for (const list = DerReader.only(der, DER.sequence); !list.done;) {
    usages.push(hexOf(list.take(DER.oid).content));
  }
  return usages.length > 0 ? usages : undefined;
}

/** The bits; absent when none is set, which says nothing. */
function readKeyUsage(der: Uint8Array | undefined): Uint8Array | undefined {
  if (!der) return undefined;
  const reader = new DerReader(der);
  const { content } = reader.take(DER.bitString);
  reader.end();
  if (content.length === 0 || content[0] > 7) throw new SyntaxError("Certificate with no usage of its key");
  const bits = content.subarray(1);
  return bits.some((byte) => byte !== 0) ? bits : undefined;
}

function demandOf(
  extensions: ReadonlyMap<string, Extension>,
  { names, nameConstraints }: Certificate,
): string | undefined {
  for (const [id, { critical }] of extensions) {
    const number = id.length === 6 && id.startsWith(OID_EXTENSION) ? parseInt(id.slice(4), 16) : -1;
    switch (number) {
      case EXTENSION.subjectKeyId:
        if (critical) throw new SyntaxError("Certificate whose key's identifier is critical");
        break;
      case EXTENSION.keyUsage:
      case EXTENSION.basicConstraints:
      case EXTENSION.extendedKeyUsage:
        break;
      case EXTENSION.names:
        if (critical && names.count === 0) return "names of an unknown kind";
        break;
      case EXTENSION.nameConstraints:
        if (critical && nameConstraints?.hasOthers) return "constraints for names of an unknown kind";
        break;
      default:
        if (id === OID_AUTHORITY_INFO && critical) {
          throw new SyntaxError("Certificate whose issuer's pages are critical");
        }
        if (critical && !UNDERSTOOD.includes(number)) return `extension ${id}, which is critical`;
    }
  }
  return undefined;
}
