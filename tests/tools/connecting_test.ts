import { assertEquals, assertStringIncludes } from "@std/assert";
import { explained } from "../../src/tools/explained.ts";
import { NSQ_TAIL } from "../../src/tools/nsq_tail.ts";
import { TO_NSQ } from "../../src/tools/to_nsq.ts";
import { ALLOW_ALL, AuthServer } from "../support/auth_server.ts";
import { certificateTest } from "../support/certificates.ts";
import { nsqdTest, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";
import { startNsqd } from "../support/nsqd_process.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const LAYERS: readonly (readonly [string, readonly string[]])[] = [
  ["nothing", []],
  ["snappy", ["snappy"]],
  ["deflate", ["deflate", "deflate_level,3"]],
];

for (const tls of [false, true]) {
  for (const [name, layer] of LAYERS) {
    certificateTest(`to_nsq and nsq_tail work over ${tls ? "TLS and " : ""}${name}`, async (made) => {
      await using nsqd = await startNsqd({
        args: [`--tls-cert=${made.server.certPath}`, `--tls-key=${made.server.keyPath}`],
      });
      const ca = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(ca, made.ca.cert);
        const options = tls ? [...layer, "tls_v1", `tls_root_ca_file,${ca}`] : layer;
        const lines = Array.from({ length: 100 }, (_, i) => `${i} ${"x".repeat(i * 37)}\n`).join("");

        const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
        const from = new FakeToolWorld({ stdin: lines });
        const sent = await from.run(
          TO_NSQ,
          "--topic=t",
          address,
          ...options.map((option) => `--producer-opt=${option}`),
        );
        const to = new FakeToolWorld();
        const taken = await to.run(
          NSQ_TAIL,
          "--topic=t",
          "--channel=ch",
          "-n=100",
          address,
          ...options.map((option) => `--consumer-opt=${option}`),
        );

        assertEquals([sent, taken, to.out], [0, 0, lines]);
      } finally {
        await Deno.remove(ca);
      }
    });
  }
}

certificateTest("A tool says what to do about a certificate that it cannot verify", async (made) => {
  await using nsqd = await startNsqd({
    args: [`--tls-cert=${made.server.certPath}`, `--tls-key=${made.server.keyPath}`],
  });
  const world = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.tcpAddress}`;
  assertEquals(await world.run(NSQ_TAIL, "--topic=t", "--retry=false", "--consumer-opt=tls_v1", address), 1);

  assertStringIncludes(world.err, "(name its authority with tls_root_ca_file,PATH)");
});

function authTest(
  name: string,
  answer: () => Response,
  test: (address: string) => Promise<void>,
): void {
  Deno.test(name, () =>
    withDataPath(async (dataPath) => {
      await using server = new AuthServer(answer);
      await withNsqd(dataPath, { authHttpAddresses: [server.address] }, ({ tcpAddress }) => test(tcpAddress));
    }));
}

authTest(
  "A tool that has no secret for an nsqd that demands one ends, and says how to give it",
  () => Response.json(ALLOW_ALL),
  async (address) => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, "--topic=t", `--nsqd-tcp-address=${address}`), 1);

    assertStringIncludes(world.errLines.at(-1) ?? "", "(give it with auth_secret,SECRET)");
  },
);

authTest(
  "A tool whose secret is refused ends, and says so",
  () => new Response("no", { status: 403 }),
  async (address) => {
    const world = new FakeToolWorld({ stdin: "a\n" });

    const flags = ["--topic=t", `--nsqd-tcp-address=${address}`, "--producer-opt=auth_secret,wrong"];
    assertEquals(await world.run(TO_NSQ, ...flags), 1);

    assertStringIncludes(
      world.err,
      "this nsqd does not take the secret (auth_secret), or cannot ask whether it is good",
    );
  },
);

authTest(
  "A tool whose secret is good for other topics ends, and says so",
  () =>
    Response.json({
      ...ALLOW_ALL,
      authorizations: [{ topic: "other", channels: [".*"], permissions: ["subscribe"] }],
    }),
  async (address) => {
    const world = new FakeToolWorld();

    const flags = ["--topic=t", `--nsqd-tcp-address=${address}`, "--consumer-opt=auth_secret,s"];
    assertEquals(await world.run(NSQ_TAIL, ...flags), 1);

    assertStringIncludes(world.err, "the secret (auth_secret) is not good for this topic and channel");
  },
);

nsqdTest("A tool that is given nsqd's HTTP port says that it is another one", async (nsqd) => {
  const world = new FakeToolWorld();

  const address = `--nsqd-tcp-address=${nsqd.httpUrl.slice("http://".length)}`;
  assertEquals(
    await world.run(NSQ_TAIL, "--topic=t", "--retry=false", "--consumer-opt=dial_timeout,100ms", address),
    1,
  );

  assertStringIncludes(
    world.errLines.at(-1) ?? "",
    "(is this its TCP port (4150), which is not its HTTP port",
  );
});

for (
  const [text, meaning] of [
    ["getaddrinfo ENOTFOUND nowhere", "there is no such host"],
    ["getaddrinfo EAI_AGAIN nowhere", "there is no such host"],
    ["connect EHOSTUNREACH 10.0.0.1:4150", "there is no way to that host"],
    ["connect ENOENT /run/nsqd.sock", "there is no such socket"],
  ]
) {
  Deno.test(`explained() says what ${text} means`, () => {
    assertEquals(explained(new Error(text)), `${text} (${meaning})`);
  });
}

Deno.test("explained() leaves alone what it does not know", () => {
  assertEquals(explained(new Error("something else")), "something else");
});
