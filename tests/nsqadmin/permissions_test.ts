import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath, pathToFileURL } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { TempFolder } from "../support/interop.ts";
import { PASSWORD, userLines } from "../support/login.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const STATS = { topics: [{ topic_name: "t", depth: 3 }] };

/** What a node says of itself, and an nsqlookupd of it. */
function infoOf({ address }: FakeHttp): Record<string, unknown> {
  const [broadcast_address, port] = address.split(":");
  return {
    hostname: "h",
    broadcast_address,
    http_port: Number(port),
    tcp_port: Number(port),
    version: "1.3.0",
  };
}

/** What is allowed beside, or in place of the set's own. */
interface Allowed {
  readonly daemons: readonly string[];
  /** Files that may be read. */
  readonly read?: readonly string[];
}

/** A test of an nsqadmin under the permission set "nsqadmin" of deno.json, but for its port and what else is allowed. */
function permissionsTest(
  name: string,
  test: (
    start: (allowed: Allowed, ...args: readonly string[]) => Promise<ChildDaemon>,
  ) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using folder = await TempFolder.make();
    const { unstable, imports, nodeModulesDir, compilerOptions, permissions } = manifest;
    const { jsx, jsxImportSource } = compilerOptions;
    const own = permissions.nsqadmin.net.filter((address) => address.endsWith(":4171"));
    await test(async ({ daemons, read = [] }, ...args) => {
      const config = {
        unstable,
        nodeModulesDir,
        compilerOptions: { jsx, jsxImportSource },
        imports: Object.fromEntries(
          Object.entries(imports).map(([from, to]) => [from, to.replace(/^\.\//, pathToFileURL(ROOT).href)]),
        ),
        // A copy: with the markup elsewhere than in its own folder, something is added to it.
        lock: { path: "./deno.lock", frozen: false },
        permissions: {
          nsqadmin: { ...permissions.nsqadmin, net: [...own.map(() => "127.0.0.1:0"), ...daemons], read },
        },
      };
      await Deno.copyFile(`${ROOT}deno.lock`, `${folder.path}/deno.lock`);
      await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(config));
      const run = [Deno.execPath(), "run", "--no-prompt", `--config=${folder.path}/deno.json`, "-P=nsqadmin"];
      return new ChildDaemon([...run, `${ROOT}main.ts`, "nsqadmin", "--http-address=127.0.0.1:0", ...args]);
    });
  });
}

async function urlOf(nsqadmin: ChildDaemon): Promise<string> {
  return `http://${await nsqadmin.logged(/HTTP: listening on (\S+)/)}`;
}

async function textAt(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  assertEquals([url, answer.status], [url, 200]);
  return text;
}

permissionsTest(
  "The permission set nsqadmin lets nsqadmin ask, show, and answer /metrics without its descriptors",
  async (start) => {
    await using node: FakeHttp = new FakeHttp(() => Response.json({ ...infoOf(node), ...STATS }));
    await using nsqadmin = await start({ daemons: [node.address] }, `--nsqd-http-address=${node.address}`);
    const url = await urlOf(nsqadmin);

    // A page does not wait long for a node.
    await eventually("the node has answered", async () => {
      return /href="\/topics\/t"/.test(await textAt(`${url}/`));
    });
    assertMatch(await textAt(`${url}/static/console.css`), /\{/);
    assertEquals(await textAt(`${url}/health/ready`), '{"ready":true,"state":"running","reasons":[]}');
    const metrics = await textAt(`${url}/metrics`);
    assertMatch(metrics, /^nsqadmin_nodes\{state="up"\} 1$/m);
    assertEquals([/^process_cpu/m.test(metrics), /^process_open_fds/m.test(metrics)], [true, false]);
  },
);

permissionsTest(
  "Under the permission set nsqadmin a node elsewhere is not asked, and named with the reason",
  async (start) => {
    await using elsewhere = new FakeHttp(() => Response.json(STATS));
    await using lookupd = new FakeHttp(() => Response.json({ producers: [infoOf(elsewhere)] }));
    await using nsqadmin = await start(
      { daemons: [lookupd.address] },
      `--lookupd-http-address=${lookupd.address}`,
    );
    const url = await urlOf(nsqadmin);

    await textAt(`${url}/`);

    const line = await eventually(
      "it is logged",
      () => /WATCH: .* does not answer.*/.exec(nsqadmin.log)?.[0],
    );
    assertEquals(
      line,
      `WATCH: ${elsewhere.address} does not answer - ` +
        `Get "http://${elsewhere.address}/stats?format=json&include_clients=false&include_node=true": ` +
        `Requires net access to "${elsewhere.address}", run again with the --allow-net flag`,
    );
    assertMatch(await textAt(`${url}/metrics`), /^nsqadmin_nodes\{state="failing"\} 1$/m);
    assertEquals(elsewhere.asked, []);
  },
);

permissionsTest(
  "The permission set nsqadmin, and a file of users to read, is all that users need to log in",
  async (start) => {
    await using folder = await TempFolder.make();
    const userFile = `${folder.path}/users`;
    await Deno.writeTextFile(userFile, `# nobody yet\n${userLines({ anna: "admin" })}`, { mode: 0o600 });
    await using nsqadmin = await start(
      { daemons: [], read: [userFile] },
      "--nsqd-http-address=127.0.0.1:1",
      `--user-file=${userFile}`,
    );
    const url = await urlOf(nsqadmin);
    const logIn = async () => {
      const body = new URLSearchParams({ user: "anna", password: PASSWORD });
      const answer = await fetch(`${url}/login`, { method: "POST", body, redirect: "manual" });
      await answer.body?.cancel();
      return [answer.status, answer.headers.get("location")];
    };
    assertEquals(await logIn(), [303, "/"]);

    await Deno.writeTextFile(userFile, userLines({ ben: "viewer" }));

    await nsqadmin.logged(/reloaded (users): their file has changed/);
    assertEquals(await logIn(), [401, null]);
  },
);

permissionsTest(
  "The permission set nsqadmin lets nsqadmin read no file: it says so in a line",
  async (start) => {
    const file = "/nowhere/token";
    await using nsqadmin = await start(
      { daemons: [] },
      "--nsqd-http-address=127.0.0.1:1",
      `--nsqd-auth-token-file=${file}`,
    );

    assertEquals(await nsqadmin.ended(), 1);
    assertMatch(nsqadmin.log, /Requires read access to "\/nowhere\/token"/);
  },
);
