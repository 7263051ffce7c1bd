import { assertEquals, assertThrows } from "@std/assert";
import { OptionError } from "../../../src/config/option.ts";
import {
  type GossipOptions,
  gossipRefusal,
  isGossipOn,
  readGossipSecrets,
  tcpAddressOf,
} from "../../../src/nsqd/gossip/options.ts";

type Options = GossipOptions & { readonly tcpAddress: string };

const ON = { gossipAddress: "127.0.0.1:7946" };
const EXTERNAL = { serfRpcAddress: "127.0.0.1:7373" };

Deno.test("isGossipOn() is true with an address for an agent, or the address of one", () => {
  assertEquals(isGossipOn(options({})), false);
  assertEquals(isGossipOn(options(ON)), true);
  assertEquals(isGossipOn(options(EXTERNAL)), true);
});

Deno.test("gossipRefusal() has nothing against options that go together", () => {
  const good: Partial<Options>[] = [
    {},
    ON,
    { gossipAddress: ":7946" },
    { gossipAddress: "[::1]:7946" },
    { ...ON, gossipSeedAddresses: ["a.example:7946", "[::2]:7946"], gossipEncryptKeyFile: "key" },
    { ...ON, gossipRegossipIntervalMs: 100 },
    EXTERNAL,
    { ...EXTERNAL, gossipSeedAddresses: ["a:7946"], serfRpcAuthFile: "auth" },
  ];
  for (const each of good) assertEquals(gossipRefusal(options(each)), undefined, JSON.stringify(each));
});

Deno.test("gossipRefusal() says which options cannot be used, or not together", () => {
  const bad: readonly [Partial<Options>, string][] = [
    [{ gossipSeedAddresses: ["a:1"] }, "--gossip-seed-address needs --gossip-address or --serf-rpc-address"],
    [{ gossipEncryptKeyFile: "k" }, "--gossip-encrypt-key-file needs --gossip-address or --serf-rpc-address"],
    [{ serfRpcAuthFile: "k" }, "--serf-rpc-auth-file needs --gossip-address or --serf-rpc-address"],
    [
      { ...ON, ...EXTERNAL },
      "--gossip-address starts a Serf agent, --serf-rpc-address uses one that runs: give one of the two",
    ],
    [
      { ...ON, tcpAddress: "/run/nsqd.sock" },
      "gossip needs a --tcp-address with a port, which other nodes tell consumers of",
    ],
    [
      { gossipAddress: "127.0.0.1" },
      '--gossip-address must be <addr>:<port>, with a port other than 0: "127.0.0.1"',
    ],
    [
      { gossipAddress: "127.0.0.1:0" },
      '--gossip-address must be <addr>:<port>, with a port other than 0: "127.0.0.1:0"',
    ],
    [
      { gossipAddress: "127.0.0.1:x" },
      '--gossip-address must be <addr>:<port>, with a port other than 0: "127.0.0.1:x"',
    ],
    [{ serfRpcAddress: ":7373" }, '--serf-rpc-address must be <addr>:<port>: ":7373"'],
    [{ ...ON, gossipSeedAddresses: ["a:1", "b"] }, '--gossip-seed-address must be <addr>:<port>: "b"'],
    [{ ...ON, gossipSeedAddresses: [":7946"] }, '--gossip-seed-address must be <addr>:<port>: ":7946"'],
    [{ ...ON, gossipRegossipIntervalMs: 99 }, "--gossip-regossip-interval must be 100ms or more"],
    [
      { ...EXTERNAL, gossipEncryptKeyFile: "k" },
      "--gossip-encrypt-key-file is for the agent of --gossip-address: that of --serf-rpc-address has its own",
    ],
    [{ ...ON, serfRpcAuthFile: "k" }, "--serf-rpc-auth-file needs --serf-rpc-address"],
  ];
  for (const [each, refusal] of bad) assertEquals(gossipRefusal(options(each)), refusal);
});

Deno.test("readGossipSecrets() reads the key as serf keygen prints it", async () => {
  for (const size of [16, 24, 32]) {
    const key = btoa("x".repeat(size));
    await withFile(`${key}\n`, (path) => {
      assertEquals(readGossipSecrets(options({ ...ON, gossipEncryptKeyFile: path })), {
        encryptKey: key,
        rpcAuthKey: "",
      });
    });
  }
});

Deno.test("readGossipSecrets() reads the authentication key", async () => {
  await withFile(" s3cret \n", (path) => {
    const secrets = readGossipSecrets(options({ ...EXTERNAL, serfRpcAuthFile: path }));

    assertEquals(secrets, { encryptKey: "", rpcAuthKey: "s3cret" });
  });
});

Deno.test("readGossipSecrets() refuses a key that is none, and does not say what it was", async () => {
  const short = btoa("x".repeat(15));
  const cases: readonly [string, string][] = [
    ["", "must hold one word, and nothing else"],
    ["two words", "must hold one word, and nothing else"],
    [short, 'must hold 16, 24 or 32 bytes in base64, as "serf keygen" makes them'],
    ["A".repeat(22), 'must hold 16, 24 or 32 bytes in base64, as "serf keygen" makes them'],
    ["not!base64!at!all!", 'must hold 16, 24 or 32 bytes in base64, as "serf keygen" makes them'],
  ];
  for (const [text, message] of cases) {
    await withFile(text, (path) => {
      const read = () => readGossipSecrets(options({ ...ON, gossipEncryptKeyFile: path }));
      const error = assertThrows(read, OptionError, message);
      assertEquals(text !== "" && error.message.includes(text), false);
    });
  }
});

Deno.test("readGossipSecrets() names a file that cannot be read", () => {
  const read = () => readGossipSecrets(options({ ...ON, gossipEncryptKeyFile: "/does/not/exist" }));

  assertThrows(read, OptionError, 'Cannot read gossip encryption key file "/does/not/exist": ');
});

Deno.test("tcpAddressOf() gives host and port", () => {
  const { hostname, port } = tcpAddressOf("[::1]:7946");

  assertEquals({ hostname, port }, { hostname: "::1", port: 7946 });
});

function options(given: Partial<Options>): Options {
  return {
    tcpAddress: "0.0.0.0:4150",
    gossipAddress: "",
    gossipSeedAddresses: [],
    gossipRegossipIntervalMs: 60_000,
    gossipEncryptKeyFile: "",
    serfPath: "serf",
    serfRpcAddress: "",
    serfRpcAuthFile: "",
    ...given,
  };
}

async function withFile(text: string, use: (path: string) => void): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, text);
    use(path);
  } finally {
    await Deno.remove(path);
  }
}
