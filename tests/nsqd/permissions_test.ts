import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { AuthServer } from "../support/auth_server.ts";
import { eventually } from "../support/eventually.ts";
import { pub, withBody } from "../support/frames.ts";
import { finishNext, RawClient } from "../support/frames_client.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A test with the command line of an nsqd under the permission set "nsqd" of deno.json, but for its data path and ports. */
function permissionsTest(
  name: string,
  test: (command: readonly string[], dataPath: string, folder: string) => Promise<void>,
  address = "127.0.0.1:0",
): void {
  Deno.test(name, () =>
    withDataPath(async (folder) => {
      const dataPath = `${folder}/data`;
      await Deno.mkdir(dataPath);
      const { nsqd } = manifest.permissions;
      const config = {
        nodeModulesDir: manifest.nodeModulesDir,
        imports: manifest.imports,
        unstable: manifest.unstable,
        lock: { path: `${ROOT}deno.lock`, frozen: true },
        permissions: {
          nsqd: {
            ...nsqd,
            net: nsqd.net.map(() => address),
            read: [dataPath, `${ROOT}src`],
            write: [dataPath],
          },
        },
      };
      await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
      const run = [Deno.execPath(), "run", "--no-prompt", `--config=${folder}/deno.json`, "-P=nsqd"];
      await test([...run, `${ROOT}main.ts`, "nsqd"], dataPath, folder);
    }));
}

/** Runs the command, which cannot go on, to its end: its exit code, and what it complains of. */
async function refusal(
  [program, ...args]: readonly string[],
): Promise<{ code: number; complaints: string[] }> {
  const options = { args, env: { NO_COLOR: "1" }, stdout: "null", stderr: "piped" } as const;
  const { code, stderr } = await new Deno.Command(program, options).output();
  // Deno warns of permission sets, because they are new.
  const ordinary = /^$|^Warning Permissions in the config file|^\[nsqd\] \S+ \S+ INFO: /;
  const complaints = new TextDecoder().decode(stderr).split("\n").filter((line) => !ordinary.test(line));
  return { code, complaints: complaints.map((line) => line.replace(/^\[nsqd\] \S+ \S+ /, "")) };
}

permissionsTest(
  "The permission set nsqd lets nsqd publish, consume, answer HTTP and keep messages",
  async (command, dataPath) => {
    {
      await using nsqd = await startNsqd({ command, dataPath });
      await nsqd.run(async () => {
        using client = await RawClient.connect(nsqd.tcpAddress);
        assertEquals(await client.ask(pub("t", "over TCP")), "OK");
        const answer = await fetch(`http://${nsqd.httpAddress}/pub?topic=t`, {
          method: "POST",
          body: "over HTTP",
        });
        assertEquals(await answer.text(), "OK");
      });
    }
    await using nsqd = await startNsqd({ command, dataPath });

    const bodies = await nsqd.run(() => consume(nsqd, 2));

    assertEquals(bodies, ["over TCP", "over HTTP"]);
  },
);

// Any port that is free is one that threads must then be allowed to share.
permissionsTest("The permission set nsqd lets nsqd have I/O threads", async (command, dataPath) => {
  await using nsqd = await startNsqd({ command: [...command, "--io-threads=2"], dataPath });

  await nsqd.run(async () => {
    for (let i = 0; i < 4; i++) {
      using client = await RawClient.connect(nsqd.tcpAddress);
      assertEquals(await client.ask(pub("t", "over TCP")), "OK");
    }
  });

  assertEquals(await nsqd.run(() => consume(nsqd, 4)), Array(4).fill("over TCP"));
}, "127.0.0.1");

permissionsTest(
  "The permission set nsqd lets nsqd answer /metrics, with its disk and without its descriptors",
  async (command, dataPath) => {
    await using nsqd = await startNsqd({ command, dataPath });

    await nsqd.run(async () => {
      const answer = await fetch(`http://${nsqd.httpAddress}/metrics`);
      const names = Array.from((await answer.text()).matchAll(/^[a-z_]+/gm), ([name]) => name);
      const has = (name: string) => names.includes(name);
      assertEquals(answer.status, 200);
      assertEquals([has("nsq_data_path_free_bytes"), has("process_cpu_seconds_total")], [true, true]);
      assertEquals(has("process_open_fds"), false);
    });
  },
);

permissionsTest(
  "Under the permission set nsqd a statsd that may not be sent to is said to be so, and ends nothing",
  async (command, dataPath) => {
    const args = ["--statsd-address=127.0.0.1:8125", "--statsd-interval=10ms"];
    await using nsqd = await startNsqd({ command, dataPath, args });

    await nsqd.run(async () => {
      await eventually(
        "a line",
        () => nsqd.log.includes('statsd(127.0.0.1:8125) - Requires net access to "0.0.0.0:0"'),
      );
      assertEquals(await (await fetch(`http://${nsqd.httpAddress}/ping`)).text(), "OK");
    });
  },
);

permissionsTest(
  "Under the permission set nsqd no variable moves the HTTP port",
  async (command, dataPath) => {
    const env = { DENO_SERVE_ADDRESS: "tcp:127.0.0.1:1" };
    await using nsqd = await startNsqd({ command, dataPath, env });

    await nsqd.run(async () => {
      assertEquals(await (await fetch(`http://${nsqd.httpAddress}/ping`)).text(), "OK");
    });
  },
);

async function consume(nsqd: NsqdProcess, count: number): Promise<string[]> {
  using client = await RawClient.connect(nsqd.tcpAddress);
  assertEquals(await client.ask("SUB t c\n"), "OK");
  await client.send(`RDY ${count}\n`);
  return await finishNext(client, count);
}

permissionsTest(
  "The permission set nsqd lets nsqd read no file elsewhere: it says so in a line",
  async (command, dataPath, folder) => {
    const file = `${folder}/nsqd.cfg`;
    await Deno.writeTextFile(file, "");

    const result = await refusal([...command, `--data-path=${dataPath}`, `--config=${file}`]);

    assertEquals(result, {
      code: 1,
      complaints: [
        `nsqd: Cannot load configuration file "${file}": ` +
        `Requires read access to "${file}", run again with the --allow-read flag`,
      ],
    });
  },
);

permissionsTest(
  "The permission set nsqd lets nsqd keep messages nowhere else: it says so in a line",
  async (command, _, folder) => {
    const result = await refusal([
      ...command,
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      `--data-path=${folder}`,
    ]);

    assertEquals(result, {
      code: 1,
      complaints: [
        "FATAL: failed to start nsqd - failed to lock data-path: " +
        `Requires read access to "${folder}", run again with the --allow-read flag`,
      ],
    });
  },
);

permissionsTest(
  "The permission set nsqd lets nsqd listen nowhere else: it says so in a line",
  async (command, dataPath) => {
    const result = await refusal([
      ...command,
      "--tcp-address=127.0.0.2:0",
      "--http-address=127.0.0.1:0",
      `--data-path=${dataPath}`,
    ]);

    assertEquals(result, {
      code: 1,
      complaints: [
        "FATAL: failed to start nsqd - listen (127.0.0.2:0) failed - " +
        'Requires net access to "127.0.0.2:0", run again with the --allow-net flag',
      ],
    });
  },
);

permissionsTest(
  "The permission set nsqd lets nsqd connect nowhere: AUTH fails, and the log says why",
  async (command, dataPath) => {
    await using server = new AuthServer(() => new Response("{}"));
    const args = [`--auth-http-address=${server.address}`];
    await using nsqd = await startNsqd({ command, dataPath, args });

    await nsqd.run(async () => {
      using client = await RawClient.connect(nsqd.tcpAddress);
      assertEquals(await client.ask(withBody("AUTH", "s3cret")), "E_AUTH_FAILED AUTH failed");

      const line = await eventually("it is logged", () => /AUTH failed failed to auth.*/.exec(nsqd.log)?.[0]);
      assertEquals(
        line,
        `AUTH failed failed to auth against ${server.address} - ` +
          `Requires net access to "${server.address}", run again with the --allow-net flag`,
      );
    });
    assertEquals(server.queries, []);
  },
);
