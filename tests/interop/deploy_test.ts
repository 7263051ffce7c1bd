/**
 * Deno Deploy, as far as it can be played here: `main.ts` is run as it is, with all permissions and what the platform sets, on
 * the version that the platform had first, and on this one.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { STOP_LIMIT_MS } from "../../src/nsqd/nsqd.ts";
import { ChildDaemon } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { interopTest, MissingError, TempFolder } from "../support/interop.ts";
import { denoOf } from "../support/other_deno.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const TOKEN = "admin-0123456789";
const HEADERS = { authorization: `Bearer ${TOKEN}` };

/** An instance on the platform, reached as the platform reaches it. */
class Instance implements AsyncDisposable {
  readonly daemon: ChildDaemon;
  readonly #folder: TempFolder;
  readonly #client: Deno.HttpClient;

  private constructor(daemon: ChildDaemon, folder: TempFolder, socket: string) {
    this.daemon = daemon;
    this.#folder = folder;
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  }

  static async start(deno: string, env: Readonly<Record<string, string>> = {}): Promise<Instance> {
    const folder = await TempFolder.make();
    const socket = `${folder.path}/platform.sock`;
    const platform = { DENO_DEPLOY: "true", DENO_SERVE_ADDRESS: `duplicate,unix:${socket}` };
    const options = { cwd: folder.path, env: { ...platform, ...env } };
    const daemon = new ChildDaemon([deno, "run", "-A", MAIN], options);
    return new Instance(daemon, folder, socket);
  }

  /** The status and the text of the answer. */
  async ask(path: string, init: RequestInit = {}): Promise<[status: number, text: string]> {
    const answer = await fetch(`http://deploy.example${path}`, { client: this.#client, ...init });
    return [answer.status, await answer.text()];
  }

  /** A connection of the platform's, for what is no whole request. */
  connect(): Promise<Deno.Conn> {
    return Deno.connect({ transport: "unix", path: `${this.#folder.path}/platform.sock` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.daemon[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

for (const version of ["2.5.0", "2.9.6"]) {
  deployTest(version, "answers /ping where the platform leads its traffic, and has no TCP", async (deno) => {
    await using instance = await Instance.start(deno);
    await instance.daemon.logged(/HTTP: (listening)/);

    assertEquals(await instance.ask("/ping"), [200, "OK"]);
    const { log } = instance.daemon;
    assertMatch(log, new RegExp(`INFO: nsqd v1\\.3\\.0 \\(built w/deno${version}\\)`));
    assertEquals(log.match(/listening on/g)?.length, 1);
    assert(!log.includes("TCP: listening"), log);
  });

  deployTest(version, "says which instance it is, and that messages end with it", async (deno) => {
    await using instance = await Instance.start(deno, { DENO_DEPLOY_APP_SLUG: "queue" });
    await instance.daemon.logged(/HTTP: (listening)/);

    const lines = [...instance.daemon.log.matchAll(/PLACE: (.*)\n/g)].map(([, line]) =>
      line.replaceAll(/\d+/g, "#")
    );
    assertEquals(lines, [
      "an instance on Deno Deploy, app queue, with HTTP only",
      "messages, topics and channels live in this instance's memory (# of # bytes) and end with it",
    ]);
  });

  deployTest(version, "is closed without tokens", async (deno) => {
    await using instance = await Instance.start(deno);
    await instance.daemon.logged(/WARNING: HTTP: closed .* (set DENOSQ_HTTP_TOKENS)/);
    await instance.daemon.logged(/HTTP: (listening)/);

    assertEquals(await instance.ask("/stats"), [403, '{"message":"FORBIDDEN"}']);
    assertEquals(await instance.ask("/ping"), [200, "OK"]);
  });

  deployTest(
    version,
    "publishes for those who have a token, keeps no file, and ends in order",
    async (deno) => {
      await using instance = await Instance.start(deno, { DENOSQ_HTTP_TOKENS: `${TOKEN} admin` });
      const { daemon } = instance;
      await daemon.logged(/HTTP: (listening)/);

      const publish = { method: "POST", body: "hello", headers: HEADERS };
      assertEquals(await instance.ask("/pub?topic=t", publish), [200, "OK"]);
      const [, stats] = await instance.ask("/stats?format=json", { headers: HEADERS });
      assertEquals(JSON.parse(stats).topics[0].depth, 1);
      daemon.kill("SIGINT");

      assertEquals(await daemon.ended(), 0);
      assertMatch(daemon.log, /INFO: NSQ: bye\n$/);
    },
  );

  deployTest(
    version,
    "gives messages out and has them finished, and answers who waits when it ends",
    async (deno) => {
      await using instance = await Instance.start(deno, { DENOSQ_HTTP_TOKENS: `${TOKEN} admin` });
      const { daemon } = instance;
      await daemon.logged(/HTTP: (listening)/);
      const post = (target: string, body = "") =>
        instance.ask(target, { method: "POST", body, headers: HEADERS });
      const place = "topic=t&channel=c";

      assertEquals(await post(`/receive?${place}`), [200, '{"messages":[]}']);
      assertEquals(await post("/pub?topic=t", "\u{e9}"), [200, "OK"]);
      const [{ lease, body }] = JSON.parse((await post(`/receive?${place}`))[1]).messages;
      assertEquals(body, "\u{e9}");
      assertEquals(await post(`/finish?${place}`, lease), [200, '{"done":1}']);
      const waiting = post(`/receive?${place}&wait=30s`);
      await eventually("it waits", async () => {
        const [, stats] = await instance.ask("/stats?format=json", { headers: HEADERS });
        return JSON.parse(stats).topics[0].channels[0].clients[0]?.ready_count === 10;
      });
      daemon.kill("SIGINT");

      assertEquals(await waiting, [200, '{"messages":[]}']);
      assertEquals(await daemon.ended(), 0);
    },
  );

  deployTest(version, "ends in order although a request does not end", async (deno) => {
    await using instance = await Instance.start(deno, { DENOSQ_HTTP_TOKENS: `${TOKEN} admin` });
    const { daemon } = instance;
    await daemon.logged(/HTTP: (listening)/);
    using connection = await instance.connect();
    const head = `POST /pub?topic=hanging HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n` +
      "Content-Length: 70000\r\n\r\nbegun";
    await connection.write(new TextEncoder().encode(head));
    // When another is answered, this one has come.
    await eventually("the request has come", async () => {
      await instance.ask("/ping");
      return daemon.log.includes("GET /ping");
    });
    daemon.kill("SIGINT");

    assertEquals(await daemon.ended(), 0);
    assertMatch(daemon.log, /WARNING: HTTP: cut off 1 requests after 1000ms\n/);
    assertMatch(daemon.log, /INFO: NSQ: bye\n$/);
    // What the program allows itself is below what the platform allows it.
    assert(STOP_LIMIT_MS < 5000);
  });
}

interopTest("main.ts on Deno Deploy serves on vsock", () => runtime("2.9.6"), async ({ deno }) => {
  const env = { DENO_DEPLOY: "true", DENO_SERVE_ADDRESS: "vsock:-1:9000" };
  await using daemon = new ChildDaemon([deno, "run", "-A", "--unstable-vsock", MAIN], { env });
  const line = await daemon.logged(/(HTTP: listening on .*|FATAL: .*)\n/);
  if (/not supported|No such device/.test(line)) throw new MissingError(`vsock: ${line}`);

  assertMatch(line, /^HTTP: listening on vsock:\d+:9000$/);
  daemon.kill("SIGINT");
  assertEquals(await daemon.ended(), 0);
});

/** A test with the executable of that version. */
function deployTest(version: string, does: string, test: (deno: string) => Promise<void>): void {
  const name = `main.ts on Deno Deploy with Deno ${version} ${does}`;
  interopTest(name, () => runtime(version), ({ deno }) => test(deno));
}

async function runtime(version: string): Promise<{ readonly deno: string } & AsyncDisposable> {
  return { deno: await denoOf(version), [Symbol.asyncDispose]: () => Promise.resolve() };
}
