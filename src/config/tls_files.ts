/**
 * Reads the files that TLS options name and refuses them at start, where an operator sees it, instead of at the
 * first handshake. Nothing else of TLS is here.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { errorText } from "../base/error_text.ts";
import { fromNode } from "../base/from_node.ts";
import { OptionError } from "./option.ts";

const buffer = fromNode("node:buffer");
const nodeCrypto = fromNode("node:crypto");

/** Contents of the files, in PEM form; `undefined` where no file was named. */
export interface TlsFiles {
  readonly pair: { readonly cert: string; readonly key: string } | undefined;
  readonly rootCa: string | undefined;
}

/**
 * The contents of the files at these paths; an empty path names no file.
 *
 * @throws {OptionError} If one cannot be read, holds no certificate or key, or the two do not belong together.
 */
export function readTlsFiles(
  paths: { readonly certPath: string; readonly keyPath: string; readonly rootCaPath: string },
): TlsFiles {
  const { certPath, keyPath, rootCaPath } = paths;
  return {
    pair: certPath === "" && keyPath === "" ? undefined : readPair(certPath, keyPath),
    rootCa: rootCaPath === "" ? undefined : readRootCa(rootCaPath),
  };
}

/** When the first certificate of a PEM text expires, in ms since 1970. It must be one that {@linkcode readTlsFiles} has read. */
export function expiryOf(pem: string): number {
  return Date.parse(new (nodeCrypto().X509Certificate)(firstBlock(pem, "CERTIFICATE")).validTo);
}

function readPair(certPath: string, keyPath: string): { cert: string; key: string } {
  const cert = readPem(certPath, "certificate");
  const key = readPem(keyPath, "key");
  const certificate = certificateBytes(cert, `certificate "${certPath}"`);
  const privateKey = attempt(`Cannot use key "${keyPath}"`, () => {
    return nodeCrypto().createPrivateKey(firstBlock(key, "(?:[A-Z]+ )?PRIVATE KEY"));
  });
  // A certificate contains its public key in just this form. X509Certificate's checkPrivateKey() and publicKey
  // would be plainer, but not every Deno we run on has the one, and the other for all types of keys.
  const publicKey = nodeCrypto().createPublicKey(privateKey).export({ type: "spki", format: "der" });
  if (!certificate.includes(publicKey)) {
    throw new OptionError(`Key "${keyPath}" is not the key of certificate "${certPath}"`);
  }
  return { cert, key };
}

function readRootCa(path: string): string {
  const pem = readPem(path, "certificate authority");
  certificateBytes(pem, `certificate authority "${path}"`);
  return pem;
}

/** The first certificate of a PEM file, decoded, once it has shown to be a certificate. */
function certificateBytes(pem: string, what: string): Buffer {
  return attempt(`Cannot use ${what}`, () => {
    const block = firstBlock(pem, "CERTIFICATE");
    new (nodeCrypto().X509Certificate)(block);
    return buffer().Buffer.from(block.replaceAll(/-----.*-----/g, ""), "base64");
  });
}

/** The first PEM block with that label: a file may hold a chain, parameters, or the certificate and its key. */
function firstBlock(pem: string, label: string): string {
  const block = new RegExp(`-----BEGIN (${label})-----[^]*?-----END \\1-----`).exec(pem)?.[0];
  if (block === undefined) throw new SyntaxError("it holds none in PEM form");
  return block;
}

function readPem(path: string, what: string): string {
  if (path === "") throw new OptionError(`A TLS ${what} file is missing: give a certificate and its key`);
  return attempt(`Cannot read ${what} "${path}"`, () => Deno.readTextFileSync(path));
}

function attempt<T>(action: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new OptionError(`${action}: ${errorText(cause)}`, { cause });
  }
}
