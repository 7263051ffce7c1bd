/**
 * Certificates as a test wants them, right or wrong, written in DER by hand: apart from what reads them, so that a mistake
 * there is not made here too, and without a program that would refuse to make the wrong ones.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Kinds of keys. */
export type KeyKind = "p256" | "p384" | "p521" | "ed25519" | "rsa1024" | "rsa2048";
/** How a certificate is signed, by the hash. */
export type Signing = "sha1" | "sha256" | "sha384" | "sha512" | "pss";

/** Which names there are, or are constrained. */
export interface GeneralNames {
  readonly dns?: readonly string[];
  /** As numbers: 4 of an address, 8 of a network. */
  readonly ip?: readonly (readonly number[])[];
  readonly email?: readonly string[];
  readonly uri?: readonly string[];
}

/** An extension, as it is written. */
export interface RawExtension {
  readonly oid: string;
  readonly critical?: boolean;
  readonly der: Uint8Array;
}

/** What a certificate is to be like; it is good for a client if nothing is said. */
export interface CertificateSpec {
  readonly name: string;
  /** Who signs it; itself, if nobody is given. */
  readonly by?: MadeCertificate;
  /** The issuer's name, if it is not that of who signs. */
  readonly issuer?: string;
  readonly key?: KeyKind;
  /** The key of another. */
  readonly keyOf?: MadeCertificate;
  readonly version?: 1 | 3;
  /** When it begins and ends to be valid, in days from now. */
  readonly days?: readonly [from: number, to: number];
  /** What basicConstraints says, if it is there. */
  readonly ca?: boolean | undefined;
  readonly pathLength?: number;
  /** The first byte of keyUsage, if it is there. */
  readonly keyUsage?: number;
  readonly usages?: readonly ("client" | "server" | "any")[];
  readonly names?: GeneralNames;
  readonly permitted?: GeneralNames;
  readonly excluded?: GeneralNames;
  readonly extensions?: readonly RawExtension[];
  readonly signing?: Signing;
  /** The signature is that of something else. */
  readonly forged?: boolean;
}

/** A certificate and its key. */
export interface MadeCertificate {
  readonly name: string;
  readonly der: Uint8Array;
  readonly cert: string;
  readonly key: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const OID = {
  commonName: "2.5.4.3",
  keyUsage: "2.5.29.15",
  names: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  extendedKeyUsage: "2.5.29.37",
  client: "1.3.6.1.5.5.7.3.2",
  server: "1.3.6.1.5.5.7.3.1",
  any: "2.5.29.37.0",
};

let serial = 1;

/** Makes one. */
export function makeCertificate(spec: CertificateSpec): MadeCertificate {
  const keys = spec.keyOf ?? makeKeys(spec.key ?? "p256");
  const signer = spec.by?.privateKey ?? keys.privateKey;
  const signing = spec.signing ?? signingOf(signer);
  const algorithm = algorithmOf(signer, signing);
  const [from, to] = spec.days ?? [-1, 1];
  const version = spec.version ?? 3;
  const extensions = version === 3 ? extensionsOf(spec) : [];
  const signed = seq(
    ...version === 3 ? [der(0xa0, integer(2))] : [],
    integer(serial++),
    algorithm,
    nameOf(spec.issuer ?? spec.by?.name ?? spec.name),
    seq(time(from), time(to)),
    nameOf(spec.name),
    new Uint8Array(keys.publicKey.export({ type: "spki", format: "der" })),
    ...extensions.length > 0 ? [der(0xa3, seq(...extensions))] : [],
  );
  const signature = signatureOf(spec.forged ? Uint8Array.of(1) : signed, signer, signing);
  const bytes = seq(signed, algorithm, der(0x03, Uint8Array.of(0), signature));
  return {
    name: spec.name,
    der: bytes,
    cert: pemOf(bytes),
    key: String(keys.privateKey.export({ type: "pkcs8", format: "pem" })),
    privateKey: keys.privateKey,
    publicKey: keys.publicKey,
  };
}

/** A certificate in PEM form. */
export function pemOf(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** A value of DER, made of the parts. */
export function der(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : length < 0x10000
    ? [0x82, length >> 8, length & 0xff]
    : [0x83, length >> 16, length >> 8 & 0xff, length & 0xff];
  return new Uint8Array(Buffer.concat([Uint8Array.of(type, ...size), content]));
}

/** A sequence of the parts. */
export function seq(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x30, ...parts);
}

/** An identifier. */
export function oid(text: string): Uint8Array {
  const [first, second, ...rest] = text.split(".").map(Number);
  const bytes = [40 * first + second];
  for (const number of rest) {
    const digits = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | left & 0x7f);
    bytes.push(...digits);
  }
  return der(0x06, Uint8Array.from(bytes));
}

function makeKeys(kind: KeyKind): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  switch (kind) {
    case "ed25519":
      return generateKeyPairSync("ed25519");
    case "rsa1024":
    case "rsa2048":
      return generateKeyPairSync("rsa", { modulusLength: Number(kind.slice(3)) });
    default:
      return generateKeyPairSync("ec", { namedCurve: `P-${kind.slice(1)}` });
  }
}

/** The runtime signs with no hash that is shorter than half of the key. */
function signingOf({ asymmetricKeyDetails }: KeyObject): Signing {
  return asymmetricKeyDetails?.namedCurve === "secp521r1" ? "sha384" : "sha256";
}

function algorithmOf({ asymmetricKeyType }: KeyObject, signing: Signing): Uint8Array {
  if (asymmetricKeyType === "ed25519") return seq(oid("1.3.101.112"));
  if (asymmetricKeyType === "ec") {
    const last = { sha1: "1", sha256: "3.2", sha384: "3.3", sha512: "3.4", pss: "" }[signing];
    return seq(oid(`1.2.840.10045.4.${last}`));
  }
  const nothing = der(0x05);
  if (signing !== "pss") {
    const last = { sha1: 5, sha256: 11, sha384: 12, sha512: 13 }[signing];
    return seq(oid(`1.2.840.113549.1.1.${last}`), nothing);
  }
  const sha256 = seq(oid("2.16.840.1.101.3.4.2.1"), nothing);
  const mask = seq(oid("1.2.840.113549.1.1.8"), sha256);
  const parameters = seq(der(0xa0, sha256), der(0xa1, mask), der(0xa2, integer(32)));
  return seq(oid("1.2.840.113549.1.1.10"), parameters);
}

function signatureOf(bytes: Uint8Array, key: KeyObject, signing: Signing): Uint8Array {
  if (key.asymmetricKeyType === "ed25519") return new Uint8Array(sign(undefined, bytes, key));
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const hash = signing === "pss" ? "sha256" : signing;
  return new Uint8Array(sign(hash, bytes, signing === "pss" ? { key, ...pss } : key));
}

function extensionsOf(spec: CertificateSpec): Uint8Array[] {
  const { ca, pathLength, keyUsage, usages, names, permitted, excluded, extensions = [] } = spec;
  const written: Uint8Array[] = [];
  if (ca !== undefined) {
    const isCa = ca ? [der(0x01, Uint8Array.of(0xff))] : [];
    const length = pathLength === undefined ? [] : [integer(pathLength)];
    written.push(extension({ oid: OID.basicConstraints, critical: true, der: seq(...isCa, ...length) }));
  }
  if (keyUsage !== undefined) {
    const bits = der(0x03, Uint8Array.of(0, keyUsage));
    written.push(extension({ oid: OID.keyUsage, critical: true, der: bits }));
  }
  if (usages) {
    const list = seq(...usages.map((usage) => oid(OID[usage])));
    written.push(extension({ oid: OID.extendedKeyUsage, der: list }));
  }
  if (names) written.push(extension({ oid: OID.names, der: seq(...generalNames(names)) }));
  if (permitted || excluded) {
    const trees = (given: GeneralNames) => generalNames(given).map((name) => seq(name));
    const parts = [
      ...permitted ? [der(0xa0, ...trees(permitted))] : [],
      ...excluded ? [der(0xa1, ...trees(excluded))] : [],
    ];
    written.push(extension({ oid: OID.nameConstraints, critical: true, der: seq(...parts) }));
  }
  return [...written, ...extensions.map(extension)];
}

function extension({ oid: id, critical = false, der: value }: RawExtension): Uint8Array {
  const mark = critical ? [der(0x01, Uint8Array.of(0xff))] : [];
  return seq(oid(id), ...mark, der(0x04, value));
}

function generalNames({ dns = [], ip = [], email = [], uri = [] }: GeneralNames): Uint8Array[] {
  const text = (type: number) => (name: string) => der(type, new TextEncoder().encode(name));
  return [
    ...dns.map(text(0x82)),
    ...ip.map((numbers) => der(0x87, Uint8Array.from(numbers))),
    ...email.map(text(0x81)),
    ...uri.map(text(0x86)),
  ];
}

function nameOf(commonName: string): Uint8Array {
  const value = der(0x0c, new TextEncoder().encode(commonName));
  return seq(der(0x31, seq(oid(OID.commonName), value)));
}

function integer(value: number): Uint8Array {
  const bytes = [value & 0xff];
  for (let left = value >>> 8; left > 0; left >>>= 8) bytes.unshift(left & 0xff);
  if (bytes[0] >= 0x80) bytes.unshift(0);
  return der(0x02, Uint8Array.from(bytes));
}

function time(days: number): Uint8Array {
  const text = new Date(Date.now() + days * DAY_MS).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x18, new TextEncoder().encode(text));
}
