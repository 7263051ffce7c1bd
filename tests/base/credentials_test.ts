import { assertEquals } from "@std/assert";
import { hideCredentials } from "../../src/base/credentials.ts";

const HIDDEN: readonly (readonly [text: string, shown: string])[] = [
  ["http://me:s3cret@auth.example:8080/auth", "http://***@auth.example:8080/auth"],
  ["https://token@auth.example", "https://***@auth.example"],
  ["me:s3cret@auth.example:4181", "***@auth.example:4181"],
  ["me:s3cret@[::1]:4181", "***@[::1]:4181"],
  ["http://auth.example/auth?key=abc&user=me#x", "http://auth.example/auth?key=***&user=***#x"],
  [
    "--auth-http-address=http://me:s3cret@auth.example/?key=a",
    "--auth-http-address=http://***@auth.example/?key=***",
  ],
  ["--auth-http-address=me:s3cret@auth.example:1", "--auth-http-address=***@auth.example:1"],
  ["Invalid URL: 'http://me:s3cret@:99999'", "Invalid URL: 'http://***@:99999'"],
  ["failed to auth against me:s3cret@a:1 - refused", "failed to auth against ***@a:1 - refused"],
  ["http://me:p@ss@auth.example/", "http://***@auth.example/"],
];

for (const [text, shown] of HIDDEN) {
  Deno.test(`hideCredentials() makes ${JSON.stringify(text)} ${JSON.stringify(shown)}`, () => {
    assertEquals(hideCredentials(text), shown);
  });
}

for (
  const text of [
    "127.0.0.1:4181",
    "http://auth.example:8080/auth",
    "",
    "--tcp-address=0.0.0.0:4150",
    "a@",
    "path/to/file",
  ]
) {
  Deno.test(`hideCredentials() leaves ${JSON.stringify(text)} as it is`, () => {
    assertEquals(hideCredentials(text), text);
  });
}
