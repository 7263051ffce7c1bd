import { assertEquals, assertMatch } from "@std/assert";
import type { HttpRequest } from "../../src/http/http_request.ts";
import { TrustedProxies } from "../../src/nsqadmin/proxies.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { httpRequest } from "../support/http_call.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";

/** A request from there with headers, each of which may be there several times. */
function request(peer: string, headers: Readonly<Record<string, readonly string[]>>): HttpRequest {
  return {
    ...httpRequest({ target: "/" }),
    peer,
    headers: { get: (name) => headers[name]?.[0], all: (name) => headers[name] ?? [] },
  };
}

const CLIENTS: readonly (readonly [peer: string, way: readonly string[], client: string])[] = [
  ["10.0.0.1:99", ["203.0.113.7"], "203.0.113.7"],
  // Nobody else is believed.
  ["10.0.1.1:99", ["203.0.113.7"], "10.0.1.1:99"],
  ["@", ["203.0.113.7"], "@"],
  // What stands before the client, the client may have written.
  ["10.0.0.1:99", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"],
  ["10.0.0.1:99", ["1.1.1.1", "203.0.113.7"], "203.0.113.7"],
  ["10.0.0.1:99", ["1.1.1.1, 10.0.0.2 ,10.0.0.3"], "1.1.1.1"],
  ["10.0.0.1:99", ["203.0.113.7, 10.0.0.2", "[2001:db8::5]:80"], "203.0.113.7"],
  ["10.0.0.1:99", [], "10.0.0.1:99"],
  ["10.0.0.1:99", [""], "10.0.0.1:99"],
  ["10.0.0.1:99", ["10.0.0.2"], "10.0.0.2"],
  ["10.0.0.1:99", ["1.1.1.1, unknown"], "10.0.0.1:99"],
  ["10.0.0.1:99", ["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"],
  ["10.0.0.1:99", ["203.0.113.7:4000"], "203.0.113.7"],
  ["[::ffff:10.0.0.1]:99", ["2001:db8::7"], "2001:db8::7"],
  ["[2001:db8::5]:99", ["[2001:db8::7]:4000"], "2001:db8::7"],
  ["10.0.0.1:99", ["1.1.1.1,".repeat(100_000) + "203.0.113.7"], "203.0.113.7"],
];

for (const [peer, way, client] of CLIENTS) {
  Deno.test(`TrustedProxies.clientOf() is ${client} through ${peer}, ${JSON.stringify(way).slice(0, 60)}`, () => {
    const proxies = TrustedProxies.of(["10.0.0.0/24", "2001:db8::5"]);

    assertEquals(proxies?.clientOf(request(peer, { "x-forwarded-for": way })), client);
  });
}

for (
  const [peer, scheme, isSecure] of [
    ["10.0.0.1:99", "https", true],
    ["10.0.0.1:99", "HTTPS, http", true],
    ["10.0.0.1:99", "http", false],
    ["10.0.0.2:99", "https", false],
  ] as const
) {
  Deno.test(`TrustedProxies.isSecure() is ${isSecure} for ${scheme} from ${peer}`, () => {
    const proxies = TrustedProxies.of(["10.0.0.1"]);

    assertEquals(proxies?.isSecure(request(peer, { "x-forwarded-proto": [scheme] })), isSecure);
  });
}

Deno.test("Without --trusted-proxy there is none", () => {
  assertEquals(TrustedProxies.of([]), undefined);
});

for (
  const [trustedProxies, statuses] of [
    [["127.0.0.1"], [200, 403, 403]],
    [["10.0.0.0/8"], [403, 403, 403]],
    [[], [200, 200, 403]],
  ] as const
) {
  Deno.test(`The user that a header names is believed of the trusted proxies [${trustedProxies}]`, async () => {
    await using nsqd = new FakeHttp(() => Response.json({}));
    const options = { nsqdHttpAddresses: [nsqd.address], adminUsers: ["root"], trustedProxies };
    await withNsqadmin(options, async (admin) => {
      const asks = [
        [["X-Forwarded-User", "root"]],
        // A proxy that adds its header to the client's.
        [["X-Forwarded-User", "root"], ["X-Forwarded-User", "mallory"]],
        [["Authorization", `Basic ${btoa("root:x")}`]],
      ];
      const got: number[] = [];
      for (const headers of asks) {
        got.push(await statusOf(admin.nsqadmin.httpPort, headers));
      }

      assertEquals(got, [...statuses]);
    });
  });
}

Deno.test("Activity tells the client that a trusted proxy speaks of", async () => {
  const options = { lookupdHttpAddresses: ["127.0.0.1:1"], trustedProxies: ["127.0.0.0/8"] };
  await withNsqadmin(options, async (admin) => {
    const headers = { "X-Forwarded-For": "203.0.113.7", "X-Forwarded-User": "anna" };
    await admin.ask("PUT", "/config/log_level", { body: "debug", headers });
    await admin.ask("PUT", "/config/log_level", { body: "debug" });

    const { activity: [direct, passedOn] } = await admin.json("/api/activity") as {
      activity: { address: string; user?: string; status: number }[];
    };
    assertMatch(direct.address, /^127\.0\.0\.1:\d+$/);
    // And the network is that of the client.
    assertEquals([passedOn.address, passedOn.user, passedOn.status], ["203.0.113.7", "anna", 403]);
  });
});

Deno.test("Pages of a trusted origin may change something, and are not told that they may read", async () => {
  const options = { lookupdHttpAddresses: ["127.0.0.1:1"], trustedOrigins: ["https://NSQ.example"] };
  await withNsqadmin(options, async (admin) => {
    const change = async (Origin: string) => {
      const headers = { Origin, "Sec-Fetch-Site": "cross-site" };
      const answer = await admin.ask("PUT", "/config/log_level", { body: "info", headers });
      return [answer.status, answer.headers.get("access-control-allow-origin")];
    };

    assertEquals(await change("https://nsq.example"), [200, null]);
    assertEquals(await change("http://nsq.example"), [403, null]);
    assertEquals(await change("https://evil.example"), [403, null]);
    const preflight = await admin.ask("OPTIONS", "/config/log_level", {
      headers: { Origin: "https://nsq.example", "Access-Control-Request-Method": "PUT" },
    });
    assertEquals(preflight.headers.get("access-control-allow-origin"), null);
  });
});

/** Of a change, with headers of which there may be several of a name. */
async function statusOf(port: number, headers: readonly (readonly string[])[]): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const body = '{"action":"pause"}';
  await connection.write(
    new TextEncoder().encode(
      `POST /api/topics/t HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${lines}\r\n${body}`,
    ),
  );
  const text = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}
