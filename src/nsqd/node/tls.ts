/**
 * TLS, for TCP and HTTPS alike: its options, the certificate in force, and what upgrades connections by it.
 *
 * @module
 */
import { string, tlsRequired, tlsVersion } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";
import { expiryOf, readTlsFiles, type TlsFiles } from "../../config/tls_files.ts";
import type { TlsServer } from "../../net/tls_server.ts";

/** The table. */
export const TLS_OPTIONS = {
  tlsCert: option({
    flag: "tls-cert",
    kind: string,
    default: "",
    description: "Path of the certificate, in PEM form.",
  }),
  tlsKey: option({
    flag: "tls-key",
    kind: string,
    default: "",
    description: "Path of the certificate's private key, in PEM form.",
  }),
  tlsClientAuthPolicy: option({
    flag: "tls-client-auth-policy",
    kind: string,
    default: "",
    description:
      "What clients must prove: require (any certificate) or require-verify (one signed by --tls-root-ca-file).",
  }),
  tlsRootCaFile: option({
    flag: "tls-root-ca-file",
    kind: string,
    default: "",
    description: "Path of the certificates of trusted authorities, in PEM form.",
  }),
  tlsRequired: option({
    flag: "tls-required",
    kind: tlsRequired,
    default: "false",
    description: "Refuse clients without TLS: true, false, or tcp-https to leave plain HTTP open.",
  }),
  tlsMinVersion: option({
    flag: "tls-min-version",
    kind: tlsVersion,
    default: "tls1.0",
    description:
      "Lowest TLS version to speak: tls1.2 or tls1.3. The default is NSQ's and means tls1.2, the lowest there is.",
  }),
};

/** What TLS is configured with. */
export type TlsOptions = OptionsOf<typeof TLS_OPTIONS>;

/** The options with what some of them imply for others. */
export function withImplied<T extends TlsOptions>(options: T): T {
  // NSQ compat: any policy for client certificates, a misspelt one too, makes TLS required.
  const implied = options.tlsClientAuthPolicy !== "" && options.tlsRequired === "false";
  return implied ? { ...options, tlsRequired: "true" } : options;
}

/** Why these options cannot be run with, or `undefined` if they can. Touches no file. */
export function tlsRefusal({ tlsRequired, tlsCert, tlsKey }: TlsOptions): string | undefined {
  if (tlsRequired === "false" || tlsCert !== "" || tlsKey !== "") return undefined;
  return "--tls-required needs --tls-cert and --tls-key";
}

/** The contents of the files that the options name. @throws {OptionError} If one cannot be used. */
export function tlsFilesOf({ tlsCert, tlsKey, tlsRootCaFile }: TlsOptions): TlsFiles {
  return readTlsFiles({ certPath: tlsCert, keyPath: tlsKey, rootCaPath: tlsRootCaFile });
}

/** The certificate and authority in force; who needs one asks for it anew each time. */
export class NodeTls {
  readonly #options: TlsOptions;
  #files: TlsFiles;
  #server: TlsServer | undefined;
  /** What a server is of; loaded where there is a certificate. */
  #serverClass: typeof TlsServer | undefined;

  constructor(options: TlsOptions, files: TlsFiles) {
    this.#options = options;
    this.#files = files;
  }

  /** Makes ready for connections, if there is a certificate. @throws {Error} When TLS cannot be served with the options. */
  async open(): Promise<void> {
    if (!this.#files.pair) return;
    this.#serverClass = (await import("../../net/tls_server.ts")).TlsServer;
    this.#server = this.#serverOf(this.#files);
  }

  /** What upgrades connections; absent without a certificate, and before {@linkcode NodeTls.open}. */
  get server(): TlsServer | undefined {
    return this.#server;
  }

  /** Certificates of the authorities that others are verified against, in PEM form. */
  get rootCa(): string | undefined {
    return this.#files.rootCa;
  }

  /** When the node's own certificate expires, by the wall clock. */
  get expiresMs(): number | undefined {
    const { pair } = this.#files;
    return pair && expiryOf(pair.cert);
  }

  /** True when there are files to read. */
  get hasFiles(): boolean {
    return this.#files.pair !== undefined || this.#files.rootCa !== undefined;
  }

  /** Reads the files again; what is returned puts them in force. @throws {OptionError} If one cannot be used. */
  prepare(): () => void {
    const files = tlsFilesOf(this.#options);
    const server = this.#serverOf(files);
    return () => {
      this.#files = files;
      this.#server = server;
    };
  }

  #serverOf(files: TlsFiles): TlsServer | undefined {
    if (!files.pair || !this.#serverClass) return undefined;
    const { tlsClientAuthPolicy, tlsMinVersion } = this.#options;
    const verified = tlsClientAuthPolicy === "require" || tlsClientAuthPolicy === "require-verify";
    return new this.#serverClass({
      ...files.pair,
      rootCa: files.rootCa,
      // NSQ compat: any other word means none, though it makes TLS required.
      clientAuth: verified ? tlsClientAuthPolicy : "none",
      minVersion: tlsMinVersion === "tls1.3" ? "TLSv1.3" : "TLSv1.2",
    });
  }
}
