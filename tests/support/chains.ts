/**
 * Chains of certificates that clients may show, with what Go's crypto/tls says of each: NSQ was asked (tests/interop/chains_test.ts).
 *
 * @module
 */

import {
  type CertificateSpec,
  der,
  type MadeCertificate,
  makeCertificate,
  oid,
  seq,
} from "./certificate_builder.ts";

/** In keyUsage. */
const [SIGN_CERTIFICATES, SIGN_REVOCATIONS, SIGN] = [0x04, 0x02, 0x80];

/** A chain, and who is trusted. */
export interface Chain {
  readonly name: string;
  readonly isGood: boolean;
  /** What denosq says, where it is not what Go says. */
  readonly isGoodHere?: boolean;
  /** Why it is refused. */
  readonly reason?: string;
  make(): MadeChain;
}

/** What the client shows. */
export interface MadeChain {
  /** Trusted authorities. */
  readonly roots: readonly MadeCertificate[];
  /** The client's certificate first. */
  readonly shown: readonly MadeCertificate[];
}

/** The trusted authorities, in PEM form. */
export function rootsOf({ roots }: MadeChain): string {
  return roots.map(({ cert }) => cert).join("");
}

/** How a client shows the chain. */
export function shownOf({ shown }: MadeChain): { readonly cert: string; readonly key: string } {
  return { cert: shown.map(({ cert }) => cert).join(""), key: shown[0].key };
}

const UNKNOWN = "x509: certificate signed by unknown authority";
const INVALID = "x509: certificate has expired or is not yet valid";
const USAGE = "x509: certificate specifies an incompatible key usage";
const NAMES = "x509: a root or intermediate certificate is not authorized to sign for this name";
const because = (reason: string) => `${UNKNOWN} (possibly because of "${reason}")`;

/** Directly below an authority that is good, unless something else is said. */
function leaf(
  name: string,
  isGood: boolean,
  spec: Partial<CertificateSpec>,
  more: Partial<Chain> & { readonly root?: Partial<CertificateSpec> } = {},
): Chain {
  return {
    name,
    isGood,
    ...more,
    make() {
      const root = authority("authority", more.root);
      return { roots: [root], shown: [makeCertificate({ name: "client", by: root, ...spec })] };
    },
  };
}

/** With one between. */
function between(
  name: string,
  isGood: boolean,
  spec: Partial<CertificateSpec>,
  more: Partial<Chain> & {
    readonly root?: Partial<CertificateSpec>;
    readonly leaf?: Partial<CertificateSpec>;
  } = {},
): Chain {
  return {
    name,
    isGood,
    ...more,
    make() {
      const root = authority("authority", more.root);
      const middle = authority("between", { by: root, ...spec });
      return {
        roots: [root],
        shown: [makeCertificate({ name: "client", by: middle, ...more.leaf }), middle],
      };
    },
  };
}

function authority(name: string, spec: Partial<CertificateSpec> = {}): MadeCertificate {
  return makeCertificate({ name, ca: true, ...spec });
}

/** Those below must have been given under policies that are accepted. */
const REQUIRED_POLICIES = { oid: "2.5.29.36", critical: true, der: seq(der(0x80, Uint8Array.of(0))) };
const UNKNOWN_POLICIES = "x509: no valid chains built: 1 candidate chains with invalid policies";
const UNKNOWN_EXTENSION = { oid: "1.2.3.4", der: der(0x05) };

/** All of them. */
export const CHAINS: readonly Chain[] = [
  // The certificate itself
  leaf("a certificate", true, {}),
  leaf("one that is an authority", true, { ca: true }),
  leaf("one that is an authority, for clients", true, { ca: true, usages: ["client"] }),
  leaf("one that says that it is none", true, { ca: false }),
  leaf("one for clients", true, { usages: ["client"] }),
  leaf("one for clients and servers", true, { usages: ["server", "client"] }),
  leaf("one for anything", true, { usages: ["any"] }),
  leaf("one for servers", false, { usages: ["server"] }, { reason: USAGE }),
  leaf("an authority for servers", false, { ca: true, usages: ["server"] }, { reason: USAGE }),
  leaf("one with names", true, { names: { dns: ["client.example"], ip: [[10, 0, 0, 1]] } }),
  leaf("one that has expired", false, { days: [-3, -1] }, { reason: INVALID }),
  leaf("an authority that has expired", false, { ca: true, days: [-3, -1] }, { reason: INVALID }),
  leaf("one that is not valid yet", false, { days: [1, 3] }, { reason: INVALID }),
  leaf("one with a forged signature", false, { forged: true }, { reason: UNKNOWN }),
  leaf("an authority with a forged signature", false, { ca: true, forged: true }, { reason: UNKNOWN }),
  leaf("one with a key for nothing that is asked", true, { keyUsage: SIGN_REVOCATIONS }),
  leaf("one with an unknown extension", true, { extensions: [UNKNOWN_EXTENSION] }),
  leaf("one with an unknown extension that is critical", false, {
    extensions: [{ ...UNKNOWN_EXTENSION, critical: true }],
  }, { reason: "x509: unhandled critical extension (extension 2a0304, which is critical)" }),
  leaf("one with the same extension twice", false, {
    extensions: [UNKNOWN_EXTENSION, UNKNOWN_EXTENSION],
  }, { reason: "x509: malformed certificate" }),
  leaf("one of version 1", true, { version: 1 }, {
    isGoodHere: false,
    reason: "x509: certificate of version 1",
  }),
  leaf("one signed with SHA-1", false, { signing: "sha1" }, { reason: UNKNOWN }),
  leaf("one signed with SHA-384", true, { signing: "sha384" }),
  leaf("one signed with SHA-512", true, { signing: "sha512" }),
  {
    name: "one that holds the text of another, which is good",
    isGood: false,
    reason: UNKNOWN,
    make() {
      const root = authority("authority");
      const victim = makeCertificate({ name: "client", by: root });
      const text = new TextEncoder().encode(`\n${victim.cert}`);
      const extensions = [{ oid: "1.2.3.4", der: der(0x0c, text) }];
      return { roots: [root], shown: [makeCertificate({ name: "client", issuer: "authority", extensions })] };
    },
  },

  // Who has signed it
  {
    name: "one that has signed itself, and is no authority",
    isGood: false,
    reason: UNKNOWN,
    make: () => ({ roots: [authority("authority")], shown: [makeCertificate({ name: "client" })] }),
  },
  {
    name: "one that has signed itself, and is an authority",
    isGood: false,
    reason: UNKNOWN,
    make: () => ({ roots: [authority("authority")], shown: [authority("client")] }),
  },
  {
    name: "one that has signed itself, with the name of the authority",
    isGood: false,
    reason: UNKNOWN,
    make: () => ({ roots: [authority("authority")], shown: [authority("authority")] }),
  },
  {
    name: "one that is trusted itself, and is an authority",
    isGood: true,
    make: () => trustedItself({ ca: true }),
  },
  {
    name: "one that is trusted itself, and is no authority",
    isGood: true,
    make: () => trustedItself({}),
  },
  {
    name: "one that is trusted itself, and has expired",
    isGood: false,
    reason: INVALID,
    make: () => trustedItself({ ca: true, days: [-3, -1] }),
  },
  {
    name: "one that is trusted itself, and is for servers",
    isGood: false,
    reason: USAGE,
    make: () => trustedItself({ ca: true, usages: ["server"] }),
  },
  {
    name: "one of an unknown authority",
    isGood: false,
    reason: UNKNOWN,
    make: () => ({
      roots: [authority("authority")],
      shown: [makeCertificate({ name: "client", by: authority("stranger") })],
    }),
  },
  {
    name: "one of an unknown authority, which is shown",
    isGood: false,
    reason: UNKNOWN,
    make() {
      const stranger = authority("stranger");
      return {
        roots: [authority("authority")],
        shown: [makeCertificate({ name: "client", by: stranger }), stranger],
      };
    },
  },
  {
    name: "one of another authority of the same name",
    isGood: false,
    reason: UNKNOWN,
    make: () => ({
      roots: [authority("authority")],
      shown: [makeCertificate({ name: "client", by: authority("authority") })],
    }),
  },
  {
    name: "one of the second of two authorities",
    isGood: true,
    make() {
      const second = authority("second");
      return {
        roots: [authority("first"), second],
        shown: [makeCertificate({ name: "client", by: second })],
      };
    },
  },
  {
    name: "one of the second of two authorities of the same name",
    isGood: true,
    make() {
      const second = authority("authority");
      return {
        roots: [authority("authority"), second],
        shown: [makeCertificate({ name: "client", by: second })],
      };
    },
  },
  {
    name: "one signed by the authority, but with another issuer's name",
    isGood: false,
    reason: UNKNOWN,
    make() {
      const root = authority("authority");
      return { roots: [root], shown: [makeCertificate({ name: "client", by: root, issuer: "somebody" })] };
    },
  },
  leaf("one of an authority that has expired", false, {}, {
    root: { days: [-3, -1] },
    reason: because(INVALID),
  }),
  leaf("one of an authority that is not valid yet", false, {}, {
    root: { days: [1, 3] },
    reason: because(INVALID),
  }),
  leaf("one of an authority that does not say it is one", false, {}, {
    root: { ca: undefined },
    reason: UNKNOWN,
  }),
  leaf("one of an authority that says it is none", false, {}, { root: { ca: false }, reason: UNKNOWN }),
  leaf("one of an authority whose key may sign", true, {}, { root: { keyUsage: SIGN_CERTIFICATES } }),
  leaf("one of an authority whose key may not sign certificates", false, {}, {
    root: { keyUsage: SIGN },
    reason: UNKNOWN,
  }),
  leaf("one of an authority for clients", true, {}, { root: { usages: ["client"] } }),
  leaf("one of an authority for servers", false, {}, { root: { usages: ["server"] }, reason: USAGE }),
  leaf("one of an authority that lets none between", true, {}, { root: { pathLength: 0 } }),
  leaf("one of an authority of version 1", true, {}, { root: { version: 1 } }),
  leaf("one of an authority that demands something unknown", false, {}, {
    root: { extensions: [{ ...UNKNOWN_EXTENSION, critical: true }] },
    reason: because("x509: unhandled critical extension (extension 2a0304, which is critical)"),
  }),

  // With others between
  between("one below another", true, {}),
  between("an authority below another", true, {}, { leaf: { ca: true } }),
  between("one below another that has expired", false, { days: [-3, -1] }, { reason: because(INVALID) }),
  between("one below another that is no authority", false, { ca: false }, { reason: UNKNOWN }),
  between("an authority below another that is none", false, { ca: false }, {
    leaf: { ca: true },
    reason: UNKNOWN,
  }),
  between("one below another that does not say it is one", false, { ca: undefined }, { reason: UNKNOWN }),
  between("one below another of version 1", false, { version: 1 }, { reason: UNKNOWN }),
  between("one below another whose key may not sign certificates", false, { keyUsage: SIGN }, {
    reason: UNKNOWN,
  }),
  between("one below another for servers", false, { usages: ["server"] }, { reason: USAGE }),
  between("one below another for anything", true, { usages: ["any"] }),
  between("one below another with a forged signature", false, { forged: true }, { reason: UNKNOWN }),
  between("one with a forged signature below another", false, {}, {
    leaf: { forged: true },
    reason: UNKNOWN,
  }),
  between("one below another whose authority lets none between", false, {}, {
    root: { pathLength: 0 },
    reason: "x509: too many intermediates for path length constraint",
  }),
  between("one below another whose authority lets one between", true, {}, { root: { pathLength: 1 } }),
  between("one below another that lets none below itself", true, { pathLength: 0 }),
  {
    name: "one below another that is not shown",
    isGood: false,
    reason: UNKNOWN,
    make() {
      const root = authority("authority");
      const middle = authority("between", { by: root });
      return { roots: [root], shown: [makeCertificate({ name: "client", by: middle })] };
    },
  },
  {
    name: "one below two others, shown in the wrong order",
    isGood: true,
    make() {
      const root = authority("authority");
      const upper = authority("upper", { by: root });
      const lower = authority("lower", { by: upper });
      return { roots: [root], shown: [makeCertificate({ name: "client", by: lower }), root, upper, lower] };
    },
  },
  {
    name: "one below an authority that is trusted, though who has signed that is not",
    isGood: true,
    make() {
      const middle = authority("between", { by: authority("stranger") });
      return { roots: [middle], shown: [makeCertificate({ name: "client", by: middle })] };
    },
  },
  {
    name: "one below two that have signed each other, and nobody else",
    isGood: false,
    reason: UNKNOWN,
    make() {
      const first = authority("first");
      const second = authority("second");
      const shown = [
        makeCertificate({ name: "client", by: first }),
        authority("first", { keyOf: first, by: second }),
        authority("second", { keyOf: second, by: first }),
      ];
      return { roots: [authority("authority")], shown };
    },
  },
  {
    name: "one below two that have signed each other, of which one is trusted",
    isGood: true,
    make() {
      const first = authority("first");
      const second = authority("second");
      const shown = [
        makeCertificate({ name: "client", by: first }),
        authority("first", { keyOf: first, by: second }),
      ];
      return { roots: [second], shown };
    },
  },
  {
    name: "one below a good authority and a bad one of the same name",
    isGood: true,
    make() {
      const root = authority("authority");
      const good = authority("between", { by: root });
      const bad = authority("between", { by: root });
      return { roots: [root], shown: [makeCertificate({ name: "client", by: good }), bad, good] };
    },
  },
  {
    name: "one with the text of a good one between",
    isGood: false,
    reason: UNKNOWN,
    make() {
      const root = authority("authority");
      const victim = authority("between", { by: root });
      const text = new TextEncoder().encode(`\n${victim.cert}`);
      const between = authority("between", { extensions: [{ oid: "1.2.3.4", der: der(0x0c, text) }] });
      return { roots: [root], shown: [makeCertificate({ name: "client", by: between }), between] };
    },
  },

  // Keys
  ...(["p256", "p384", "p521", "ed25519", "rsa2048"] as const).flatMap((key) => [
    leaf(`one with a key of kind ${key}`, true, { key }),
    leaf(`one of an authority with a key of kind ${key}`, true, {}, { root: { key } }),
  ]),
  leaf("one with RSA-PSS's signature", true, { signing: "pss" }, { root: { key: "rsa2048" } }),
  leaf("one with RSA-PSS's signature that is forged", false, { signing: "pss", forged: true }, {
    root: { key: "rsa2048" },
    reason: UNKNOWN,
  }),
  leaf("one with a forged signature by RSA", false, { forged: true }, {
    root: { key: "rsa2048" },
    reason: UNKNOWN,
  }),
  leaf("one with a forged signature by Ed25519", false, { forged: true }, {
    root: { key: "ed25519" },
    reason: UNKNOWN,
  }),
  leaf("one of an authority with an RSA key of 1024 bits", true, {}, {
    root: { key: "rsa1024" },
    isGoodHere: false,
    reason: UNKNOWN,
  }),

  // Names
  leaf("one without names below constraints", true, {}, { root: { permitted: { dns: ["example.com"] } } }),
  ...([
    [["client.example.com"], { permitted: { dns: ["example.com"] } }, true],
    [["example.com"], { permitted: { dns: ["example.com"] } }, true],
    [["EXAMPLE.com"], { permitted: { dns: ["example.COM"] } }, true],
    [["badexample.com"], { permitted: { dns: ["example.com"] } }, false],
    [["client.example.org"], { permitted: { dns: ["example.com", "example.org"] } }, true],
    [["client.example.com", "client.example.net"], { permitted: { dns: ["example.com"] } }, false],
    [["client.example.com"], { permitted: { dns: [".example.com"] } }, true],
    [["example.com"], { permitted: { dns: [".example.com"] } }, false],
    [["client.example.com"], { permitted: { dns: [""] } }, true],
    [["client.example.com"], { excluded: { dns: ["example.com"] } }, false],
    [["client.example.org"], { excluded: { dns: ["example.com"] } }, true],
    [["*.example.com"], { excluded: { dns: ["bad.example.com"] } }, false],
    [["*.example.com"], { permitted: { dns: ["example.com"] } }, true],
    [["client.example.com"], { permitted: { ip: [[10, 0, 0, 0, 255, 0, 0, 0]] } }, true],
  ] as const).map(([dns, root, isGood]) =>
    leaf(`one with names ${dns.join(", ")} below ${JSON.stringify(root)}`, isGood, { names: { dns } }, {
      root,
      ...!isGood && { reason: NAMES },
    })
  ),
  ...([
    [[10, 1, 2, 3], { permitted: { ip: [[10, 0, 0, 0, 255, 0, 0, 0]] } }, true],
    [[11, 1, 2, 3], { permitted: { ip: [[10, 0, 0, 0, 255, 0, 0, 0]] } }, false],
    [[10, 1, 2, 3], { excluded: { ip: [[10, 1, 0, 0, 255, 255, 0, 0]] } }, false],
    [[10, 2, 2, 3], { excluded: { ip: [[10, 1, 0, 0, 255, 255, 0, 0]] } }, true],
  ] as const).map(([ip, root, isGood]) =>
    leaf(`one with address ${ip.join(".")} below ${JSON.stringify(root)}`, isGood, { names: { ip: [ip] } }, {
      root,
      ...!isGood && { reason: NAMES },
    })
  ),
  leaf("one with a mail address below constraints for hosts", true, { names: { email: ["a@example.com"] } }, {
    root: { permitted: { dns: ["example.org"] } },
  }),
  leaf("one with a mail address below constraints for those", true, { names: { email: ["a@example.com"] } }, {
    root: { permitted: { email: ["example.com"] } },
    isGoodHere: false,
    reason: NAMES,
  }),
  between("one with names that its authority's authority may not vouch for", false, {}, {
    root: { permitted: { dns: ["example.com"] } },
    leaf: { names: { dns: ["client.example.org"] } },
    reason: NAMES,
  }),
  between("one with names that its authority may not vouch for", false, {
    permitted: { dns: ["example.com"] },
  }, {
    leaf: { names: { dns: ["client.example.org"] } },
    reason: NAMES,
  }),
  leaf("one with a policy", true, {
    extensions: [{ oid: "2.5.29.32", der: seq(seq(oid("1.2.3.4"))) }],
  }),
  leaf("one of an authority that is trusted, and requires policies", true, {}, {
    root: { extensions: [REQUIRED_POLICIES] },
  }),
  between("one below another that requires policies", false, { extensions: [REQUIRED_POLICIES] }, {
    reason: UNKNOWN_POLICIES,
  }),
];

function trustedItself(spec: Partial<CertificateSpec>): MadeChain {
  const client = makeCertificate({ name: "client", ...spec });
  return { roots: [client], shown: [client] };
}

/** Certificates that a client shows behind its own, all of the name that is looked for, none of which has signed it. */
export function manyOfOneName(count: number): MadeChain {
  const root = authority("authority");
  const shown = [makeCertificate({ name: "client", by: authority("between") })];
  const between = authority("between", { by: root, key: "p521" });
  for (let i = 0; i < count; i++) {
    // Another name makes another certificate; making a key for each would take long.
    shown.push(authority("between", { by: root, keyOf: between, names: { dns: [`n${i}`] } }));
  }
  return { roots: [root], shown };
}
