import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { defaultOptions } from "../../src/config/option.ts";
import { loadNsqdOptions, NSQD_OPTIONS, type NsqdOptions } from "../../src/nsqd/options.ts";
import { messagesSizeMax, placeLines, withPlace } from "../../src/nsqd/sandbox.ts";
import { TOKENS_VARIABLE } from "../../src/nsqd/api/guard.ts";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { ConsumeClient, QUERY } from "../support/consume_client.ts";
import { eventually } from "../support/eventually.ts";
import { RawClient } from "../support/frames_client.ts";
import { TempFolder } from "../support/interop.ts";
import { Variables } from "../support/variables.ts";
import { response } from "../support/frames.ts";
import { SocketClient } from "../support/socket_client.ts";

const MIB = 2 ** 20;
/** When so many messages of 1 MiB are finished, memory has been given back. */
const ENOUGH_FOR_A_SEGMENT = 5;
const ADMIN = "admin-0123456789";

/** Does `work` where the environment has these variables. */
function withVariables<T>(variables: Readonly<Record<string, string>>, work: () => T): T {
  using _variables = new Variables(variables);
  return work();
}

const onDeploy = <T>(work: () => T) => withVariables({ DENO_DEPLOY: "true" }, work);

/** What options become in this place. */
function placed(given: Partial<NsqdOptions>): NsqdOptions {
  return withPlace({ ...defaultOptions(NSQD_OPTIONS), ...given });
}

Deno.test("deno.json deploys main.ts as nsqd with HTTP only", () => {
  assertEquals(manifest.deploy.runtime, {
    type: "dynamic",
    entrypoint: "main.ts",
    args: ["nsqd", "--tcp-address="],
  });
});

Deno.test("--store=auto is files on a machine, and memory on Deno Deploy", () => {
  assertEquals(placed({}).store, "files");
  assertEquals(onDeploy(() => placed({}).store), "memory");
});

Deno.test("--store=auto is files wherever a --data-path is given", () => {
  assertEquals(onDeploy(() => placed({ dataPath: "/data" }).store), "files");
});

Deno.test("nsqd serves no TCP on Deno Deploy unless it is told to", () => {
  assertEquals(onDeploy(() => defaultOptions(NSQD_OPTIONS).tcpAddress), "");
  assertEquals(defaultOptions(NSQD_OPTIONS).tcpAddress, "0.0.0.0:4150");
});

for (const value of ["", "0", "false"]) {
  Deno.test(`DENO_DEPLOY=${value} is not Deno Deploy`, () => {
    const { store } = withVariables({ DENO_DEPLOY: value }, () => placed({}));

    assertEquals(store, "files");
  });
}

Deno.test("In memory half of --max-memory is for messages, and an eighth for bodies", () => {
  const options = placed({ store: "memory", maxMemoryBytes: 800 * MIB });

  assertEquals(messagesSizeMax(options), 400 * MIB);
  assertEquals(options.httpMaxBodiesSizeBytes, 100 * MIB);
});

Deno.test("In memory bodies may take less than an eighth of --max-memory, and not without end", () => {
  const store = "memory";
  const maxMemoryBytes = 800 * MIB;

  assertEquals(placed({ store, maxMemoryBytes, httpMaxBodiesSizeBytes: MIB }).httpMaxBodiesSizeBytes, MIB);
  assertEquals(
    placed({ store, maxMemoryBytes, httpMaxBodiesSizeBytes: 0 }).httpMaxBodiesSizeBytes,
    100 * MIB,
  );
});

Deno.test("In memory --max-memory=0 is nine tenths of the machine's memory", () => {
  const { total } = Deno.systemMemoryInfo();

  assertEquals(placed({ store: "memory", maxMemoryBytes: 0 }).maxMemoryBytes, Math.floor(total * 0.9));
});

Deno.test("With files --max-memory=0 is no limit, and bodies keep theirs", () => {
  const options = placed({ store: "files", maxMemoryBytes: 0 });

  assertEquals([options.maxMemoryBytes, options.httpMaxBodiesSizeBytes], [0, 256 * MIB]);
});

for (const flag of ["--admin-address=127.0.0.1:0", "--tls-cert=x"]) {
  Deno.test(`nsqd on Deno Deploy refuses ${flag}, which asks for a second server`, () => {
    const start = onDeploy(() => loadNsqdOptions([flag]));

    assertEquals(start, {
      kind: "exit",
      code: 1,
      text: `nsqd: ${flag.split("=")[0]} asks for a second HTTP server, and Deno Deploy has one only`,
    });
  });
}

Deno.test("placeLines() tells which instance on Deno Deploy it is, and that messages end with it", () => {
  const variables = {
    DENO_DEPLOY: "true",
    DENO_DEPLOY_APP_SLUG: "queue",
    DENO_DEPLOYMENT_ID: "d1",
    DENO_REGION: "eu",
  };

  const lines = withVariables(variables, () => placeLines({ store: "memory", maxMemoryBytes: 1000 }));

  assertEquals(lines, [
    "an instance on Deno Deploy, app queue, deployment d1, region eu, with HTTP only",
    "messages, topics and channels live in this instance's memory (500 of 1000 bytes) and end with it",
  ]);
});

Deno.test("placeLines() has nothing to tell of a machine with files and all permissions", () => {
  assertEquals(placeLines({ store: "files", maxMemoryBytes: 0 }), []);
});

/** The command line of nsqd with HTTP only, under these permissions and no others. */
function sandboxed(...permissions: string[]): string[] {
  const main = programCommand("nsqd")[3];
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, main, "nsqd", "--tcp-address="];
}

/** The URL of its API, when it has started and no longer answers that it is loading. */
async function urlOf(nsqd: ChildDaemon): Promise<string> {
  await nsqd.logged(/(advertising)/);
  return `http://${await nsqd.logged(/HTTP: listening on (\S+)\n/)}`;
}

/** Lines of the log that tell of the place. */
function placeLinesOf(log: string): string[] {
  return [...log.matchAll(/INFO: PLACE: (.*)\n/g)].map(([, line]) => line);
}

Deno.test("nsqd serves HTTP with no permission but its port, and says what it does without", async () => {
  await using nsqd = new ChildDaemon([
    ...sandboxed("--allow-net=127.0.0.1:0"),
    "--http-address=127.0.0.1:0",
  ]);
  const url = await urlOf(nsqd);

  assertEquals(await (await fetch(`${url}/ping`)).text(), "OK");
  assertEquals(
    await (await fetch(`${url}/pub?topic=t&channel=c`, { method: "POST", body: "x" })).text(),
    "OK",
  );
  const stats = await (await fetch(`${url}/stats?format=json&topic=t`)).json();
  assertEquals(stats.topics[0].depth, 1);
  const info = await (await fetch(`${url}/info`)).json();
  assertEquals([info.hostname, info.broadcast_address, info.tcp_port], ["sandbox", "sandbox", -1]);

  assertEquals(placeLinesOf(nsqd.log), [
    "messages, topics and channels live in this instance's memory (230400000 of 460800000 bytes) and end with it",
    "without --allow-read and --allow-write there is no data path",
    'without --allow-sys=hostname this node is called "sandbox", and has any --node-id',
    `without --allow-env=${TOKENS_VARIABLE} tokens of the HTTP API come from a file only`,
    "without --allow-sys an inspector that SIGUSR1 opens is not closed",
  ]);
  nsqd.kill("SIGTERM");
  assertEquals(await nsqd.ended(), 0);
});

Deno.test("nsqd gives messages out and has them finished with no permission but its port", async () => {
  await using nsqd = new ChildDaemon([
    ...sandboxed("--allow-net=127.0.0.1:0"),
    "--http-address=127.0.0.1:0",
  ]);
  const client = new ConsumeClient(await urlOf(nsqd));
  await client.publish("a", "b");
  using events = await client.subscribe();
  await events.next();
  const leases = [(await events.message()).lease, ...(await client.receive()).map(({ lease }) => lease)];
  await using socket = await SocketClient.open(client.url);

  assertEquals(leases.length, 2);
  assertEquals(await client.answer(`/finish?${QUERY}`, leases.join("\n")), '200 {"done":2}');
  assertEquals(await socket.ask("SUB t c\n"), response("OK"));
});

Deno.test("nsqd says nothing of a permission that it has", async () => {
  await using nsqd = new ChildDaemon([
    ...sandboxed(
      "--allow-net=127.0.0.1:0",
      "--allow-sys",
      `--allow-env=${TOKENS_VARIABLE}`,
    ),
    "--http-address=127.0.0.1:0",
    "--max-memory=1000000000",
  ]);
  await nsqd.logged(/HTTP: (listening)/);

  assertEquals(placeLinesOf(nsqd.log), [
    "messages, topics and channels live in this instance's memory (500000000 of 1000000000 bytes) and end with it",
    "without --allow-read and --allow-write there is no data path",
  ]);
});

Deno.test("nsqd in memory says at its end what is lost", async () => {
  await using nsqd = new ChildDaemon([...sandboxed("-A"), "--http-address=127.0.0.1:0", "--store=memory"]);
  const url = await urlOf(nsqd);
  for (const body of ["a", "b"]) await (await fetch(`${url}/pub?topic=t`, { method: "POST", body })).text();

  nsqd.kill("SIGTERM");

  assertEquals(await nsqd.ended(), 0);
  const [, line] = /WARNING: (TOPIC.*)\n/.exec(nsqd.log) ?? [];
  assertEquals(line, "TOPIC(t): 2 messages in memory only: lost with the end of this process");
});

Deno.test("nsqd in memory touches no file", async () => {
  await using folder = await TempFolder.make();
  await using nsqd = new ChildDaemon(
    [...programCommand("nsqd"), "--store=memory", "--tcp-address=", "--http-address=127.0.0.1:0"],
    { cwd: folder.path },
  );
  const url = await urlOf(nsqd);
  await (await fetch(`${url}/pub?topic=t`, { method: "POST", body: "x" })).text();
  await (await fetch(`${url}/topic/create?topic=u`, { method: "POST" })).text();

  nsqd.kill("SIGTERM");

  assertEquals(await nsqd.ended(), 0);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("nsqd in memory refuses with 507 what does not fit, loses nothing that was taken, and takes more when there is room", async () => {
  await using nsqd = new ChildDaemon([
    ...programCommand("nsqd"),
    "--store=memory",
    "--tcp-address=127.0.0.1:0",
    "--http-address=127.0.0.1:0",
    `--max-memory=${512 * MIB}`,
  ]);
  const tcpAddress = await nsqd.logged(/TCP: listening on (\S+)\n/);
  const url = await urlOf(nsqd);
  const publish = (size: number) =>
    fetch(`${url}/pub?topic=t`, { method: "POST", body: new Uint8Array(size).fill(120) });

  let taken = 0;
  let refused: Response | undefined;
  while (refused === undefined) {
    const answer = await publish(MIB);
    if (answer.status === 200) {
      taken++;
      await answer.body?.cancel();
    } else refused = answer;
  }

  assertEquals(
    [refused.status, refused.headers.get("retry-after"), await refused.json()],
    [507, "1", { message: "OUT_OF_MEMORY" }],
  );
  // 256 MiB are for messages, each of which has some bytes with it.
  const { topics } = await (await fetch(`${url}/stats?format=json`)).json();
  assertEquals([taken, topics[0].depth], [255, 255]);
  using client = await RawClient.connect(tcpAddress);
  assertEquals(await client.ask("SUB t c\n"), "OK");
  await client.send("RDY 1\n");
  for (let i = 0; i < ENOUGH_FOR_A_SEGMENT; i++) {
    const { id, body } = await client.message();
    assertEquals(body.length, MIB);
    await client.send(`FIN ${id}\n`);
  }
  await eventually("room", async () => {
    const { status, body } = await publish(MIB);
    await body?.cancel();
    return status === 200;
  });
});

Deno.test("nsqd on Deno Deploy without tokens answers /ping only, and says which variable sets them", async () => {
  await using nsqd = new ChildDaemon([...programCommand("nsqd"), "--http-address=127.0.0.1:0"], {
    env: { DENO_DEPLOY: "true" },
  });
  const url = await urlOf(nsqd);

  assertEquals(await (await fetch(`${url}/ping`)).text(), "OK");
  for (const path of ["/stats", "/info", "/config/log_level", "/debug/pprof/"]) {
    const answer = await fetch(url + path);
    assertEquals([path, answer.status, await answer.json()], [path, 403, { message: "FORBIDDEN" }]);
  }
  const publish = await fetch(`${url}/pub?topic=t`, {
    method: "POST",
    body: "x",
    headers: { authorization: `Bearer ${ADMIN}` },
  });
  assertEquals([publish.status, await publish.json()], [403, { message: "FORBIDDEN" }]);
  const [, line] = /WARNING: (HTTP: closed.*)\n/.exec(nsqd.log) ?? [];
  assertEquals(
    line,
    "HTTP: closed but for /ping and /health/*, because there are no tokens: set DENOSQ_HTTP_TOKENS to " +
      '"<token> <roles>", several of them with ; between, or give --http-auth-token-file',
  );
});

Deno.test("nsqd takes tokens from a variable, wherever it runs", async () => {
  const env = { [TOKENS_VARIABLE]: `reader-0123456789 read; ${ADMIN} boss admin` };
  await using nsqd = new ChildDaemon(
    [...programCommand("nsqd"), "--tcp-address=", "--http-address=127.0.0.1:0", "--store=memory"],
    { env },
  );
  const url = await urlOf(nsqd);
  const status = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/pub?topic=t`, { method: "POST", body: "x", headers });
    await answer.body?.cancel();
    return answer.status;
  };

  assertEquals(
    [await status("unknown-0123456789"), await status("reader-0123456789"), await status(ADMIN)],
    [401, 403, 200],
  );
});

for (
  const [what, value, problem] of [
    ["no token", "", "HTTP auth token variable DENOSQ_HTTP_TOKENS lists no token"],
    [
      "a short token",
      "0123456789abcdef read;short read",
      "HTTP auth token variable DENOSQ_HTTP_TOKENS, line 2: the token has fewer than 16 characters",
    ],
  ] as const
) {
  Deno.test(`nsqd does not start with ${what} in the variable`, async () => {
    await using nsqd = new ChildDaemon([...programCommand("nsqd"), "--tcp-address=", "--store=memory"], {
      env: { [TOKENS_VARIABLE]: value },
    });

    assertEquals(await nsqd.ended(), 1);
    const [, line] = /FATAL: (.*)\n/.exec(nsqd.log) ?? [];
    assertEquals(line, `failed to start nsqd - ${problem}`);
  });
}
