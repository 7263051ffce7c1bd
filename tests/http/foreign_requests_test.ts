import { assertEquals } from "@std/assert";
import { foreignness, HostNames } from "../../src/http/foreign_requests.ts";
import { httpRequest } from "../support/http_call.ts";

const NAMES = new HostNames(["nsqd.example", "proxy.example:8080"]);

const HOSTS: readonly (readonly [host: string, isKnown: boolean])[] = [
  ["nsqd.example", true],
  ["NSQD.example:4151", true],
  ["nsqd.example:", true],
  ["proxy.example:8080", true],
  ["proxy.example", false],
  ["proxy.example:8081", false],
  ["evil.example", false],
  ["nsqd.example.evil.example", false],
  ["xnsqd.example", false],
  ["127.0.0.1", true],
  ["127.0.0.1:4151", true],
  ["10.1.2.3", true],
  ["127.0.0.1.evil.example", false],
  ["[::1]:4151", true],
  ["[fe80::1%25eth0]", true],
  ["localhost:4151", true],
  ["localhost.evil.example", false],
];

for (const [host, isKnown] of HOSTS) {
  Deno.test(`HostNames.has() ${isKnown ? "knows" : "does not know"} ${host}`, () => {
    assertEquals(NAMES.has(host), isKnown);
  });
}

Deno.test("HostNames.of() is none without names", () => {
  assertEquals(HostNames.of([]), undefined);
});

const REQUESTS: readonly (readonly [
  method: string,
  headers: Readonly<Record<string, string>>,
  foreign: ReturnType<typeof foreignness>,
])[] = [
  ["GET", { host: "nsqd.example" }, undefined],
  ["GET", { host: "evil.example" }, "FOREIGN_HOST"],
  ["PUT", { host: "evil.example", origin: "http://evil.example" }, "FOREIGN_HOST"],
  // HTTP/1.0, and proxies that leave it out.
  ["GET", {}, undefined],
  ["GET", { host: "" }, undefined],
  // What a page may only look at, it cannot read: the browser sees to it.
  ["GET", { host: "nsqd.example", "sec-fetch-site": "cross-site" }, undefined],
  ["POST", { host: "nsqd.example" }, undefined],
  ["POST", { host: "nsqd.example", "sec-fetch-site": "cross-site" }, "FOREIGN_ORIGIN"],
  ["POST", { host: "nsqd.example", "sec-fetch-site": "same-origin" }, undefined],
  ["POST", { host: "nsqd.example", "sec-fetch-site": "none" }, undefined],
  ["POST", { host: "nsqd.example:4151", origin: "http://nsqd.example:4151" }, undefined],
  ["POST", { host: "NSQD.example", origin: "https://nsqd.EXAMPLE" }, undefined],
  ["POST", { host: "nsqd.example", origin: "http://evil.example" }, "FOREIGN_ORIGIN"],
  ["POST", { host: "nsqd.example", origin: "http://nsqd.example:81" }, "FOREIGN_ORIGIN"],
  ["POST", { host: "nsqd.example", origin: "null" }, "FOREIGN_ORIGIN"],
  ["PUT", { host: "nsqd.example", origin: "" }, "FOREIGN_ORIGIN"],
  ["DELETE", { origin: "http://evil.example" }, "FOREIGN_ORIGIN"],
];

for (const [method, headers, foreign] of REQUESTS) {
  Deno.test(`foreignness() is ${foreign} of ${method} ${JSON.stringify(headers)}`, () => {
    assertEquals(foreignness(httpRequest({ method, target: "/", headers }), NAMES), foreign);
  });
}

Deno.test("foreignness() minds no Host as long as no names are told", () => {
  assertEquals(
    foreignness(httpRequest({ target: "/", headers: { host: "evil.example" } }), undefined),
    undefined,
  );
});
