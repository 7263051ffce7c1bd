import { assertEquals } from "@std/assert";
import { defaultOptions } from "../../src/config/option.ts";
import { HTTP_OPTIONS, httpRefusal } from "../../src/http/options.ts";
import { httpConnections, httpLimits } from "../../src/http/server.ts";

for (const host of ["", "a/b", "http://a", "a b", "a:b"]) {
  Deno.test(`httpRefusal() refuses --http-allowed-host=${host}`, () => {
    assertEquals(
      httpRefusal({ httpAllowedHosts: ["good.example", host] }),
      `--http-allowed-host is no host: ${JSON.stringify(host)}`,
    );
  });
}

Deno.test("httpRefusal() takes names, with a port and without", () => {
  assertEquals(httpRefusal({ httpAllowedHosts: ["a.example", "b.example:4151", "[::1]"] }), undefined);
});

Deno.test("httpLimits() are those that the options tell", () => {
  const options = { ...defaultOptions(HTTP_OPTIONS), writeTimeoutMs: 5000, httpMaxBodiesSizeBytes: 10 };

  const { connections, timeouts, budget } = httpLimits(options, httpConnections(options));

  assertEquals(connections, { max: 5000, perAddressMax: 2500 });
  assertEquals(timeouts, {
    headerTimeoutMs: 90_000,
    bodyTimeoutMs: 120_000,
    idleTimeoutMs: 300_000,
    writeTimeoutMs: 5000,
  });
  assertEquals([budget.take(10), budget.take(1)], [true, false]);
});
