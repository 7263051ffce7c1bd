/**
 * Certificates for tests of TLS, made by the `openssl` command once per test file and removed with it. All but one
 * are X.509 version 3; they have elliptic curve keys and are valid for 20 days: few enough that nsqd warns of them.
 *
 * @module
 */

import { interopTest, runProgram } from "./interop.ts";

/** A certificate and its key, in PEM form, and the files that hold them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/** What {@linkcode certificates} makes. */
export interface Certificates {
  /** The folder of all the files. */
  readonly folder: string;
  /** The authority that has signed `server` and `client`. */
  readonly ca: Certificate;
  /** Of `localhost` and 127.0.0.1. */
  readonly server: Certificate;
  /** The same with another key, as it is made when the first is about to expire. */
  readonly renewedServer: Certificate;
  /** The same in X.509's version 1, as `openssl x509 -req` makes them without being told more. */
  readonly oldServer: Certificate;
  /** A client's; the common name is `denosq-client`. */
  readonly client: Certificate;
  /** A client's that another authority has signed; the common name is `stranger`. */
  readonly stranger: Certificate;
}

const EXTENSIONS = `
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[client]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
`;

let made: Promise<Certificates> | undefined;

/**
 * The certificates of this test file.
 *
 * @throws {MissingError} If there is no `openssl`.
 */
export function certificates(): Promise<Certificates> {
  return made ??= make();
}

/** A test that needs certificates; ignored, with the reason, where they cannot be made. */
export function certificateTest(name: string, test: (certificates: Certificates) => Promise<void>): void {
  // Nothing to dispose of after one test: the certificates are the whole file's.
  const prepare = async () => ({ made: await certificates(), [Symbol.asyncDispose]: async () => {} });
  interopTest(name, prepare, (prepared) => test(prepared.made));
}

async function make(): Promise<Certificates> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_certificates_" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const maker = new CertificateMaker(folder);
  await Deno.writeTextFile(maker.config, EXTENSIONS);
  const [ca, strangersCa] = await Promise.all([maker.authority("ca"), maker.authority("strangers-ca")]);
  const [server, renewedServer, oldServer, client, stranger] = await Promise.all([
    maker.signed("server", { name: "localhost", by: ca, use: "server" }),
    maker.signed("renewed-server", { name: "localhost", by: ca, use: "server" }),
    maker.signed("old-server", { name: "localhost", by: ca, use: undefined }),
    maker.signed("client", { name: "denosq-client", by: ca, use: "client" }),
    maker.signed("stranger", { name: "stranger", by: strangersCa, use: "client" }),
  ]);
  return { folder, ca, server, renewedServer, oldServer, client, stranger };
}

class CertificateMaker {
  readonly config: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.config = `${folder}/openssl.cnf`;
  }

  /** A certificate that signs others. */
  async authority(file: string): Promise<Certificate> {
    const { key, cert } = this.#paths(file);
    const extensions = ["-extensions", "authority", "-days", "20"];
    await this.#openssl("req", "-x509", ...this.#newKey(key, file), ...extensions, "-out", cert);
    return await this.#read(file);
  }

  /** A certificate signed by an authority. */
  async signed(
    file: string,
    { name, by, use }: {
      readonly name: string;
      readonly by: Certificate;
      /** Which extensions; without any it is of version 1. */
      readonly use: "server" | "client" | undefined;
    },
  ): Promise<Certificate> {
    const { key, cert, request } = this.#paths(file);
    await this.#openssl("req", ...this.#newKey(key, name), "-out", request);
    const authority = ["-CA", by.certPath, "-CAkey", by.keyPath, "-set_serial", String(Date.now())];
    const extensions = use === undefined ? [] : ["-extfile", this.config, "-extensions", use];
    await this.#openssl(
      "x509",
      "-req",
      "-in",
      request,
      ...authority,
      ...extensions,
      "-days",
      "20",
      "-out",
      cert,
    );
    return await this.#read(file);
  }

  #newKey(path: string, name: string): string[] {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path];
    return [...key, "-subj", `/CN=${name}`, "-config", this.config];
  }

  async #read(file: string): Promise<Certificate> {
    const { key: keyPath, cert: certPath } = this.#paths(file);
    const [cert, key] = await Promise.all([Deno.readTextFile(certPath), Deno.readTextFile(keyPath)]);
    return { cert, key, certPath, keyPath };
  }

  async #openssl(...args: string[]): Promise<void> {
    await runProgram("openssl", { args });
  }

  #paths(file: string): { cert: string; key: string; request: string } {
    const path = `${this.#folder}/${file}`;
    return { cert: `${path}.pem`, key: `${path}.key`, request: `${path}.csr` };
  }
}
