/**
 * The one executable: compiled, started, published to and consumed from.
 *
 * Compiling needs Deno's base binary. Where it cannot be downloaded, `DENO_COMPILE` names a Deno to compile with and
 * `DENORT_BIN` its base.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { ChildDaemon } from "./support/child_daemon.ts";
import { bytesOf, join, MAGIC, withBody } from "./support/frames.ts";
import { interopTest, MissingError, runProgram, TempFolder } from "./support/interop.ts";
import { startNsqd } from "./support/nsqd_process.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interopTest(
  "The compiled executable publishes, keeps and delivers, and has the pages of nsqadmin",
  compile,
  async (folder) => {
    const denosq = `${folder.path}/denosq`;
    await Deno.symlink("denosq", `${folder.path}/nsqd`);
    const { stdout } = await runProgram(`${folder.path}/nsqd`, { args: ["--version"] });
    assertMatch(stdout, /^nsqd v\d+\.\d+\.\d+ /);

    const dataPath = `${folder.path}/data`;
    await Deno.mkdir(dataPath);
    {
      await using nsqd = await startNsqd({ command: [denosq, "nsqd"], dataPath });
      const answer = await fetch(`http://${nsqd.httpAddress}/pub?topic=t`, { method: "POST", body: "kept" });
      assertEquals(await answer.text(), "OK");
    }
    await using nsqd = await startNsqd({ command: [`${folder.path}/nsqd`], dataPath });

    const body = await nsqd.run(() => consumeOne(nsqd.tcpAddress));

    assertEquals(body, "kept");

    // What is loaded when it is needed is in the executable, too: files and packages.
    const found = await fetch(`http://${nsqd.httpAddress}/messages?topic=t&regex=k.pt`);
    assertEquals((await found.json()).messages, []);
    assertMatch(await (await fetch(`http://${nsqd.httpAddress}/metrics`)).text(), /^nsq_build_info\{/m);
    assertEquals(await beginSnappy(nsqd.tcpAddress), "sNaPpY");

    // I/O threads have a module of their own; an older runtime says that it cannot have them.
    assertEquals(Buffer.from(await Deno.readFile(denosq)).includes("io_worker.ts"), true);
    const threads = ["--io-threads=2", "--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
    await Deno.mkdir(`${folder.path}/threads`);
    await using threaded = new ChildDaemon([
      denosq,
      "nsqd",
      ...threads,
      `--data-path=${folder.path}/threads`,
    ]);
    if (/deno2\.[0-8]\./.test(stdout)) {
      await threaded.logged(/(I\/O threads need Deno 2\.9)/);
    } else {
      const tcpAddress = await threaded.logged(/TCP: listening on (\S+)\n/);
      const posted = `http://${await threaded.logged(/HTTP: listening on (\S+)\n/)}/pub?topic=t`;
      assertEquals(await (await fetch(posted, { method: "POST", body: "carried" })).text(), "OK");
      assertEquals(await consumeOne(tcpAddress), "carried");
    }

    // Pages, and the files that they load, are in the executable.
    await Deno.symlink("denosq", `${folder.path}/nsqadmin`);
    await using nsqadmin = new ChildDaemon([
      `${folder.path}/nsqadmin`,
      "--http-address=127.0.0.1:0",
      `--nsqd-http-address=${nsqd.httpAddress}`,
    ]);
    const url = `http://${await nsqadmin.logged(/HTTP: listening on (\S+)\n/)}`;
    assertMatch(await (await fetch(`${url}/topics/t`)).text(), /<h1>Topic t <\/h1>/);
    assertMatch(await (await fetch(`${url}/static/console.css`)).text(), /^:root \{/);
  },
);

async function compile(): Promise<TempFolder> {
  const folder = await TempFolder.make();
  const deno = Deno.env.get("DENO_COMPILE") ?? Deno.execPath();
  const args = ["compile", "--quiet", "-A", "--no-prompt", "--output", `${folder.path}/denosq`, "main.ts"];
  try {
    await runProgram(deno, { args, cwd: ROOT });
  } catch (cause) {
    await folder[Symbol.asyncDispose]();
    // Without a name for a Deno that can compile, not having its base is no fault of the program.
    if (Deno.env.has("DENO_COMPILE")) throw cause;
    throw MissingError.because("deno compile's base binary", cause);
  }
  return folder;
}

/** What the stream begins with that a connection goes on with when the client wants snappy. */
async function beginSnappy(address: string): Promise<string> {
  const [hostname, port] = address.split(":");
  using conn = await Deno.connect({ hostname, port: Number(port) });
  const wishes = JSON.stringify({ feature_negotiation: true, snappy: true });
  await conn.write(join(bytesOf(MAGIC), withBody("IDENTIFY", wishes)));
  const bytes = new Uint8Array(1024);
  let text = "";
  for (let count: number | null = 0; count !== null && !text.includes("sNaPpY");) {
    count = await conn.read(bytes);
    text += new TextDecoder("latin1").decode(bytes.subarray(0, count ?? 0));
  }
  return /sNaPpY/.exec(text)?.[0] ?? text;
}

/** The body of the first message of channel `c` of topic `t`. */
async function consumeOne(address: string): Promise<string> {
  const [hostname, port] = address.split(":");
  using conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(new TextEncoder().encode("  V2SUB t c\nRDY 1\n"));
  const bytes = new Uint8Array(1024);
  let length = 0;
  // The answer to SUB takes 10 bytes, the message 34 and its body.
  while (length < 10 + 34 + 4) length += await conn.read(bytes.subarray(length)) ?? 0;
  const id = bytes.subarray(10 + 18, 10 + 34);
  await conn.write(new TextEncoder().encode(`FIN ${new TextDecoder().decode(id)}\n`));
  return new TextDecoder().decode(bytes.subarray(10 + 34, length));
}
