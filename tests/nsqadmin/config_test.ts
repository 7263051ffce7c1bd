import { assertEquals } from "@std/assert";
import { CONFIG_VALUE_SIZE_MAX } from "../../src/http/config_option.ts";
import { withCluster, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const LOOKUPDS = ["127.0.0.1:1"];

for (
  const [key, text] of [
    ["nsqlookupd_http_addresses", '["127.0.0.1:1"]'],
    ["nsqd_http_addresses", "[]"],
    ["log_level", "2"],
    ["statsd_interval", "60000000000"],
    ["statsd_prefix", "nsq.%s"],
    ["proxy_graphite", "false"],
    ["base_path", "/"],
    ["admin_users", "[]"],
    ["http_client_tls_cert", ""],
    ["graphite_url", "http://***@graphite.example/"],
  ]
) {
  Deno.test(`GET /config/${key} is ${JSON.stringify(text)}`, async () => {
    const options = { lookupdHttpAddresses: LOOKUPDS, graphiteUrl: "http://me:secret@graphite.example/" };
    await withNsqadmin(options, async (admin) => {
      const answer = await admin.ask("GET", `/config/${key}`);

      assertEquals([answer.status, answer.text], [200, text]);
    });
  });
}

Deno.test("PUT /config/nsqlookupd_http_addresses takes effect", async () => {
  await withCluster({}, async ({ lookupd, topic }) => {
    await topic("t");
    await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
      const body = JSON.stringify([lookupd.httpAddress]);

      const answer = await admin.ask("PUT", "/config/nsqlookupd_http_addresses", { body });

      assertEquals([answer.status, answer.text], [200, body]);
      assertEquals(await admin.json("/api/topics"), { topics: ["t"], message: "" });
    });
  });
});

Deno.test("PUT /config/log_level takes effect", async () => {
  const lines = await withNsqadmin({ lookupdHttpAddresses: LOOKUPDS }, async (admin) => {
    assertEquals((await admin.ask("PUT", "/config/log_level", { body: "error" })).text, "4");
    await admin.ask("GET", "/ping");
  });

  assertEquals(lines.filter((line) => line.includes("/ping")), []);
});

for (
  const [key, body, status, message] of [
    ["nsqlookupd_http_addresses", "nope", 400, "INVALID_VALUE"],
    ["nsqlookupd_http_addresses", "[1]", 400, "INVALID_VALUE"],
    ["log_level", "loud", 400, "INVALID_VALUE"],
    ["log_level", "", 413, "INVALID_VALUE"],
    ["log_level", " ".repeat(CONFIG_VALUE_SIZE_MAX + 1), 413, "INVALID_VALUE"],
    ["statsd_prefix", "x", 400, "INVALID_OPTION"],
    ["no_such", "x", 400, "INVALID_OPTION"],
  ] as const
) {
  Deno.test(`PUT /config/${key} of ${body.length} bytes is refused with ${status} ${message}`, async () => {
    await withNsqadmin({ lookupdHttpAddresses: LOOKUPDS }, async (admin) => {
      const answer = await admin.ask("PUT", `/config/${key}`, { body });

      assertEquals([answer.status, answer.json], [status, { message }]);
    });
  });
}

for (
  const [allowConfigFromCidr, status] of [["127.0.0.1/8", 200], ["127.0.0.1/32", 200], ["", 200], [
    "10.0.0.0/8",
    403,
  ]] as const
) {
  Deno.test(`/config answers a client of this machine with ${status} for --allow-config-from-cidr=${allowConfigFromCidr}`, async () => {
    await withNsqadmin({ lookupdHttpAddresses: LOOKUPDS, allowConfigFromCidr }, async (admin) => {
      const answers = [
        await admin.ask("GET", "/config/log_level"),
        await admin.ask("PUT", "/config/log_level", { body: "info" }),
      ];

      assertEquals(answers.map((answer) => answer.status), [status, status]);
    });
  });
}
