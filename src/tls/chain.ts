/**
 * Whether a client's certificate is good: a chain from it to a trusted authority, by the rules of Go's crypto/x509, which NSQ
 * goes by. The TLS library that does the handshake has proved that the client has the certificate's key; that is all that is
 * believed of it here, for its rules are others: it takes authorities that have expired, or may not sign, and refuses
 * certificates that say that they are authorities themselves, as those do that people make for themselves. And it does not
 * look again when a session is resumed.
 *
 * ```
 *  the client's certificate ◀─ signed by ─ others that it has sent ◀─ signed by ─ a trusted one
 * ```
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Certificate } from "./certificate.ts";
import { sameBytes } from "./der.ts";
import { mayVouchFor } from "./names.ts";

/** Signatures that are looked at before a search is given up, as in Go: a stranger decides how much there is to search. */
const SIGNATURE_CHECKS_MAX = 100;

const USAGE = { any: "551d2500", client: "2b06010505070302" } as const;

/** The authorities that are trusted. */
export class Authorities {
  readonly #roots: readonly Certificate[];

  /**
   * The certificates in a text in PEM form; those that cannot be read are passed over, as in Go.
   *
   * @throws {Error} When some have signed each other in a circle: the runtime would follow it for ever (Deno 2.9.6).
   */
  constructor(pem: string) {
    this.#roots = pemBlocks(pem).flatMap((der) => read(der) ?? []);
    for (const root of this.#roots) {
      let steps = 0;
      for (let at: Certificate | undefined = root; at && !isSelfIssued(at); at = this.#issuerOf(at)) {
        if (steps++ > this.#roots.length) {
          throw new Error("Certificate authorities have signed each other in a circle");
        }
      }
    }
  }

  /**
   * Why the first of the certificates, each in DER, is not good; undefined when it is. The others are what the client has sent
   * besides.
   */
  async refusal(presented: readonly Uint8Array[], nowMs: number): Promise<string | undefined> {
    const certificates: Certificate[] = [];
    for (const der of presented) {
      const certificate = read(der);
      if (!certificate) return "x509: malformed certificate";
      certificates.push(certificate);
    }
    const [leaf, ...others] = certificates;
    const search = new Search({ roots: this.#roots, others, nowMs });
    return possessionRefusal(presented) ?? await search.refusal(leaf);
  }

  #issuerOf({ issuer }: Certificate): Certificate | undefined {
    return this.#roots.find(({ subject }) => sameBytes(subject, issuer));
  }
}

/**
 * Why it is not known whether a client has the key of the first of the certificates; undefined when it has it: with those of
 * older versions, the TLS library does not look at the proof.
 */
export function possessionRefusal([der]: readonly Uint8Array[]): string | undefined {
  const leaf = read(der);
  if (!leaf) return "x509: malformed certificate";
  return leaf.version === 3 ? undefined : `x509: certificate of version ${leaf.version}`;
}

interface SearchOptions {
  readonly roots: readonly Certificate[];
  readonly others: readonly Certificate[];
  readonly nowMs: number;
}

/** Looks for a chain. */
class Search {
  readonly #options: SearchOptions;
  #checks = 0;
  /** What was wrong with the chain that came nearest. */
  #reason = "x509: certificate signed by unknown authority";

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  async refusal(leaf: Certificate): Promise<string | undefined> {
    const reason = this.#unfit(leaf);
    if (reason !== undefined) return reason;
    const isTrusted = this.#options.roots.some((root) => root.equals(leaf));
    if (isTrusted) return chainRefusal([leaf]);
    return await this.#extend([leaf]) ? undefined : this.#reason;
  }

  /** True when the chain can be continued to a trusted authority. */
  async #extend(chain: readonly Certificate[]): Promise<boolean> {
    const { roots, others } = this.#options;
    for (const root of roots) {
      if (!await this.#isIssuer(root, chain)) continue;
      const reason = chainRefusal([...chain, root]);
      if (reason === undefined) return true;
      this.#reason = reason;
    }
    for (const other of others) {
      if (other.authority?.isAuthority && await this.#isIssuer(other, chain)) {
        if (await this.#extend([...chain, other])) return true;
      }
    }
    return false;
  }

  /** True when the candidate may sign, and has signed, the last of the chain. */
  async #isIssuer(candidate: Certificate, chain: readonly Certificate[]): Promise<boolean> {
    const last = chain[chain.length - 1];
    if (!sameBytes(candidate.subject, last.issuer) || !candidate.maySign) return false;
    if (chain.some((certificate) => isTheSame(certificate, candidate))) return false;
    const reason = this.#unfit(candidate);
    if (reason !== undefined) {
      this.#reason = `x509: certificate signed by unknown authority (possibly because of "${reason}")`;
      return false;
    }
    if (candidate.authority && chain.length - 1 > candidate.authority.pathLengthMax) {
      this.#reason = "x509: too many intermediates for path length constraint";
      return false;
    }
    if (this.#checks === SIGNATURE_CHECKS_MAX) return false;
    this.#checks++;
    try {
      return await last.isSignedWith(candidate.publicKey);
    } catch (error) {
      // The key is none, or of a kind that is not known here.
      if (error instanceof Error) return false;
      throw error;
    }
  }

  /** Why the certificate is of no use whatever else there is. */
  #unfit({ demand, notBeforeMs, notAfterMs }: Certificate): string | undefined {
    const { nowMs } = this.#options;
    if (demand !== undefined) return `x509: unhandled critical extension (${demand})`;
    if (nowMs < notBeforeMs || nowMs > notAfterMs) return "x509: certificate has expired or is not yet valid";
    return undefined;
  }
}

/** Why the chain, whose signatures are good, is of no use; its trusted end is part of it. */
function chainRefusal(chain: readonly Certificate[]): string | undefined {
  // Unlike Go, which works out under which policies the others were given.
  if (chain.slice(0, -1).some(({ requiresPolicies }) => requiresPolicies)) {
    return "x509: no valid chains built: 1 candidate chains with invalid policies";
  }
  const isForClients = chain.every(({ usages }) =>
    usages === undefined || usages.includes(USAGE.any) || usages.includes(USAGE.client)
  );
  if (!isForClients) return "x509: certificate specifies an incompatible key usage";
  const isVouchedFor = chain.every(({ nameConstraints }, i) =>
    nameConstraints === undefined ||
    chain.slice(0, i).every(({ names }) => mayVouchFor(nameConstraints, names))
  );
  return isVouchedFor
    ? undefined
    : "x509: a root or intermediate certificate is not authorized to sign for this name";
}

/** The same authority, by whomever it is signed: two that sign each other would make chains without end. */
function isTheSame(a: Certificate, b: Certificate): boolean {
  const [names, others] = [a.alternativeNames, b.alternativeNames];
  return sameBytes(a.subject, b.subject) && sameBytes(a.keyInfo, b.keyInfo) &&
    (names && others ? sameBytes(names, others) : names === others);
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return sameBytes(subject, issuer);
}

function read(der: Uint8Array): Certificate | undefined {
  try {
    return new Certificate(der);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function pemBlocks(pem: string): Uint8Array[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g);
  return [...blocks].map(([, base64]) => Buffer.from(base64, "base64"));
}
