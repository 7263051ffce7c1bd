/**
 * The alternative names in certificates, and what authorities may vouch for (RFC 5280, name constraints): as Go checks them,
 * but that a name which is no host and no address is refused wherever there are constraints of its kind.
 *
 * @module
 */

import { DER, derNumber, DerReader, inPlace } from "./der.ts";

/** Kinds of names, by their numbers in their places. */
const KIND = { email: 1, host: 2, uri: 6, address: 7 } as const;

/** The names in a certificate. */
export interface Names {
  readonly hosts: readonly string[];
  readonly addresses: readonly Uint8Array[];
  readonly emails: number;
  readonly uris: number;
  /** Of these four kinds together. */
  readonly count: number;
}

/** None. */
export const EMPTY_NAMES: Names = { hosts: [], addresses: [], emails: 0, uris: 0, count: 0 };

/** Names that something is said of: hosts by their ends, addresses by number and mask. */
interface Trees {
  readonly hosts: readonly string[];
  readonly addresses: readonly Uint8Array[];
  readonly emails: number;
  readonly uris: number;
  readonly others: number;
}

/** What an authority may vouch for. */
export interface NameConstraints {
  readonly permitted: Trees;
  readonly excluded: Trees;
  /** There are some for other kinds of names. */
  readonly hasOthers: boolean;
}

/** Reads the extension with alternative names. */
export function readNames(der: Uint8Array): Names {
  const { hosts, addresses, emails, uris } = sorted(function* () {
    for (const list = DerReader.only(der, DER.sequence); !list.done;) yield list.next();
  });
  for (const { length } of addresses) {
    if (length !== 4 && length !== 16) throw new SyntaxError("Certificate with an address of an odd length");
  }
  return { hosts, addresses, emails, uris, count: hosts.length + addresses.length + emails + uris };
}

/** Reads the extension with constraints. */
export function readConstraints(der: Uint8Array): NameConstraints {
  const fields = DerReader.only(der, DER.sequence);
  const permitted = readTrees(fields.takeIf(inPlace(0, "made"))?.content);
  const excluded = readTrees(fields.takeIf(inPlace(1, "made"))?.content);
  fields.end();
  return { permitted, excluded, hasOthers: permitted.others + excluded.others > 0 };
}

/** True when all of the names are such as the authority may vouch for. */
export function mayVouchFor({ permitted, excluded }: NameConstraints, names: Names): boolean {
  if (names.emails > 0 && permitted.emails + excluded.emails > 0) return false;
  if (names.uris > 0 && permitted.uris + excluded.uris > 0) return false;
  const hostsGood = names.hosts.every((host) =>
    isHostName(host) &&
    (permitted.hosts.length === 0 || permitted.hosts.some((end) => isBelow(host, end))) &&
    !excluded.hosts.some((end) => isBelow(host, end) || mayBe(host, end))
  );
  return hostsGood &&
    names.addresses.every((address) =>
      (permitted.addresses.length === 0 || permitted.addresses.some((tree) => isWithin(address, tree))) &&
      !excluded.addresses.some((tree) => isWithin(address, tree))
    );
}

function readTrees(der: Uint8Array | undefined): Trees {
  const trees = sorted(function* () {
    for (const list = new DerReader(der ?? new Uint8Array()); !list.done;) {
      const fields = new DerReader(list.take(DER.sequence).content);
      yield fields.next();
      // How far down, which is always all the way.
      const least = fields.takeIf(inPlace(0, "plain"));
      if (least && derNumber(least.content) !== 0) {
        throw new SyntaxError("Certificate with constraints from a depth on");
      }
      fields.end();
    }
  });
  for (const { length } of trees.addresses) {
    if (length !== 8 && length !== 32) throw new SyntaxError("Certificate with a network of an odd length");
  }
  return trees;
}

function sorted(values: () => Iterable<{ readonly type: number; readonly content: Uint8Array }>): Trees {
  const hosts: string[] = [];
  const addresses: Uint8Array[] = [];
  let [emails, uris, others] = [0, 0, 0];
  for (const { type, content } of values()) {
    if (type === inPlace(KIND.host, "plain")) hosts.push(textOf(content));
    else if (type === inPlace(KIND.address, "plain")) addresses.push(content);
    else if (type === inPlace(KIND.email, "plain")) emails++;
    else if (type === inPlace(KIND.uri, "plain")) uris++;
    else others++;
  }
  return { hosts, addresses, emails, uris, others };
}

function textOf(content: Uint8Array): string {
  if (content.some((byte) => byte >= 0x80)) throw new SyntaxError("Certificate with a name that is no ASCII");
  return new TextDecoder().decode(content).toLowerCase();
}

function isHostName(host: string): boolean {
  return /^(?:\*\.)?(?:[\x21-\x2d\x2f-\x7e]+\.)*[\x21-\x2d\x2f-\x7e]+$/.test(host);
}

/** `.example.com` is above others, `example.com` above others and itself, and nothing is above everything. */
function isBelow(host: string, end: string): boolean {
  if (end === "" || host === end) return true;
  return host.endsWith(end.startsWith(".") ? end : `.${end}`);
}

/** A name with a star may be one that is excluded. */
function mayBe(host: string, end: string): boolean {
  return host.startsWith("*.") && end.indexOf(".") > 0 && host.slice(1) === end.slice(end.indexOf("."));
}

function isWithin(address: Uint8Array, tree: Uint8Array): boolean {
  const { length } = address;
  return tree.length === 2 * length &&
    address.every((byte, i) => (byte & tree[length + i]) === (tree[i] & tree[length + i]));
}
