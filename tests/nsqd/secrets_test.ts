import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { pub, withBody } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { startNsqd } from "../support/nsqd_process.ts";

const OPEN_TCP =
  "WARNING: --http-auth-token-file closes the HTTP API only: without --auth-http-address whoever reaches the TCP port may do everything there";

/** Gives `use` a file of tokens of that mode. */
async function withTokens(mode: number, use: (path: string) => Promise<void>): Promise<void> {
  await withDataPath(async (folder) => {
    const path = `${folder}/tokens`;
    await Deno.writeTextFile(path, "admin-0123456789 admin\n", { mode });
    await Deno.chmod(path, mode);
    await use(path);
  });
}

/** The warnings of a start with these options. */
async function warningsWith(options: Parameters<typeof withNsqd>[1]): Promise<string[]> {
  let lines: string[] = [];
  await withDataPath(async (dataPath) => {
    lines = await withNsqd(dataPath, options, () => Promise.resolve());
  });
  return lines.filter((line) => line.startsWith("WARNING"));
}

Deno.test("Nsqd warns of a file of tokens that everybody can read", async () => {
  await withTokens(0o644, async (path) => {
    const warnings = await warningsWith({ httpAuthTokenFile: path, authHttpAddresses: ["127.0.0.1:1"] });

    assertEquals(warnings, [
      `WARNING: "${path}" is open to every user of this machine: chmod o= ${path}`,
    ]);
  });
});

Deno.test("Nsqd warns that tokens do not close TCP, unless clients are asked for a secret there or there is none", async () => {
  await withTokens(0o600, async (path) => {
    assertEquals(await warningsWith({ httpAuthTokenFile: path }), [OPEN_TCP]);
    assertEquals(await warningsWith({ httpAuthTokenFile: path, authHttpAddresses: ["127.0.0.1:1"] }), []);
    assertEquals(await warningsWith({ httpAuthTokenFile: path, tcpAddress: "" }), []);
    assertEquals(await warningsWith({}), []);
  });
});

Deno.test("nsqd shows the credentials in an auth server's address nowhere", async () => {
  await using nsqd = await startNsqd({
    args: ["--auth-http-address=http://me:s3cret@127.0.0.1:1/auth?key=s3cret"],
  });

  await nsqd.run(async () => {
    using client = await RawClient.connect(nsqd.tcpAddress);
    assertEquals(await client.ask(withBody("AUTH", "x")), "E_AUTH_FAILED AUTH failed");
    const shown: string[] = [];
    for (const target of ["/config/auth_http_addresses", "/debug/pprof/cmdline", "/debug/pprof/goroutine"]) {
      shown.push(await (await fetch(`http://${nsqd.httpAddress}${target}`)).text());
    }

    assertEquals(shown[0], '["http://***@127.0.0.1:1/auth?key=***"]');
    assert(shown[1].includes("http://***@127.0.0.1:1/auth?key=***"), shown[1]);
    const line = "failed to auth against http://***@127.0.0.1:1/auth?key=***";
    await eventually("it is logged", () => nsqd.log.includes(line));
    assertEquals([...shown, nsqd.log].filter((text) => text.includes("s3cret")), []);
  });
});

Deno.test("Nsqd keeps folders and files of topics for its user only", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { durability: "disk" }, async (nsqd) => {
      using client = await nsqd.connect();
      assertEquals(await client.ask(pub("t", "x")), "OK");
    });

    const mode = (path: string) => (Deno.statSync(`${dataPath}/${path}`).mode ?? 0) & 0o777;
    assertEquals(mode("t.topic"), 0o700);
    for (const { name } of Deno.readDirSync(`${dataPath}/t.topic`)) {
      assertEquals(mode(`t.topic/${name}`), 0o600, name);
    }
    assertEquals(mode("nsqd.dat"), 0o600);
  });
});
