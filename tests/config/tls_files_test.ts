import { assertEquals, assertThrows } from "@std/assert";
import { OptionError } from "../../src/config/option.ts";
import { expiryOf, readTlsFiles } from "../../src/config/tls_files.ts";

// Made for these tests; they secure nothing.
const CERT = `-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIUbBdJpIhJ2pkEGeveUQlccqtudlowCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZGVub3NxLXRlc3QwIBcNMjYxMTIzMDQ0OTIyWhgPMjEyNjEw
MzAwNDQ5MjJaMBYxFDASBgNVBAMMC2Rlbm9zcS10ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE7ENFLaFBksqX+de+n9yHo3IgyWsmwSul+YRLgstz3xxtPU2I
5GPuQwla8ThK0EG0a9Fa5+OhsZQXuPk6d4EbqqNTMFEwHQYDVR0OBBYEFNRi6baC
+/Cy8K0d8RDngnR6aatKMB8GA1UdIwQYMBaAFNRi6baC+/Cy8K0d8RDngnR6aatK
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgOSnfWenkYruPTrjj
zcutqNdcoYRXsgmhuSj7I4zkIlsCIEgA0kafsZ1K4Gbkp6e5L7i0p0e9qZHL1pGC
dRF5BOJ8
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9qGk1BnFMjpniSEc
13f0AUhulzggn5P3SeR8I56wJ8KhRANCAATsQ0UtoUGSypf5176f3IejciDJaybB
K6X5hEuCy3PfHG09TYjkY+5DCVrxOErQQbRr0Vrn46GxlBe4+Tp3gRuq
-----END PRIVATE KEY-----
`;
const OTHER_KEY = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJltnzfzqwLkY3zDy/JhlcOII5qmAzvHWsIEZR9C2IQq
-----END PRIVATE KEY-----
`;

/** Reads files with these contents; the paths in a refusal become `CERT`, `KEY` and `CA`. */
function read(contents: { readonly cert?: string; readonly key?: string; readonly rootCa?: string }) {
  const dir = Deno.makeTempDirSync();
  const write = (name: string, text: string | undefined) => {
    if (text === undefined) return "";
    Deno.writeTextFileSync(`${dir}/${name}`, text);
    return `${dir}/${name}`;
  };
  try {
    return readTlsFiles({
      certPath: write("CERT", contents.cert),
      keyPath: write("KEY", contents.key),
      rootCaPath: write("CA", contents.rootCa),
    });
  } catch (error) {
    if (error instanceof OptionError) error.message = error.message.replaceAll(`${dir}/`, "");
    throw error;
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("readTlsFiles() reads nothing where no file is named", () => {
  assertEquals(read({}), { pair: undefined, rootCa: undefined });
});

Deno.test("readTlsFiles() gives the contents of a pair and of the authorities", () => {
  assertEquals(read({ cert: CERT, key: KEY, rootCa: CERT }), {
    pair: { cert: CERT, key: KEY },
    rootCa: CERT,
  });
});

Deno.test("readTlsFiles() gives the authorities without a pair", () => {
  assertEquals(read({ rootCa: CERT }), { pair: undefined, rootCa: CERT });
});

Deno.test("readTlsFiles() finds certificate and key in one file that holds both", () => {
  const both = KEY + CERT;

  assertEquals(read({ cert: both, key: both }).pair, { cert: both, key: both });
});

Deno.test("readTlsFiles() refuses a key of another certificate", () => {
  assertThrows(
    () => read({ cert: CERT, key: OTHER_KEY }),
    OptionError,
    'Key "KEY" is not the key of certificate "CERT"',
  );
});

Deno.test("readTlsFiles() refuses a certificate without a key and a key without a certificate", () => {
  assertThrows(() => read({ cert: CERT }), OptionError, "A TLS key file is missing");
  assertThrows(() => read({ key: KEY }), OptionError, "A TLS certificate file is missing");
});

Deno.test("readTlsFiles() refuses files that hold something else", () => {
  assertThrows(() => read({ cert: KEY, key: KEY }), OptionError, 'Cannot use certificate "CERT"');
  assertThrows(() => read({ cert: CERT, key: CERT }), OptionError, 'Cannot use key "KEY"');
  assertThrows(() => read({ rootCa: "text" }), OptionError, 'Cannot use certificate authority "CA"');
});

Deno.test("readTlsFiles() refuses a file that is not there", () => {
  const paths = { certPath: "/no/such/cert.pem", keyPath: "/no/such/key.pem", rootCaPath: "" };

  assertThrows(() => readTlsFiles(paths), OptionError, 'Cannot read certificate "/no/such/cert.pem"');
});

Deno.test("expiryOf() is when the first certificate of a file expires", () => {
  assertEquals(new Date(expiryOf(`${KEY}${CERT}`)).toISOString(), "2126-10-30T04:49:22.000Z");
});
