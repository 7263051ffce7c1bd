import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { type Frame, mpub, pub, withBody } from "../support/frames.ts";
import { type NsqdInProcess, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

/** How often it is tried whether what was wrong still is. */
const SYNC_TIMEOUT_MS = 20;

/** A test with an nsqd in whose data path a file is where the folder of topic `blocked` should be. */
function blockedTest(name: string, test: (nsqd: NsqdInProcess, blocker: string) => Promise<void>): void {
  Deno.test(name, () =>
    withDataPath(async (dataPath) => {
      await withNsqd(dataPath, { syncTimeoutMs: SYNC_TIMEOUT_MS }, async (nsqd) => {
        const blocker = `${dataPath}/blocked.topic`;
        await Deno.writeTextFile(blocker, "not a folder");
        await test(nsqd, blocker);
      });
    }));
}

async function answerTo(nsqd: NsqdInProcess, command: string | Uint8Array): Promise<Frame[]> {
  using client = await nsqd.connect();
  await client.send(command);
  return await client.rest();
}

async function post(nsqd: NsqdInProcess, path: string, body = "x"): Promise<[number, string]> {
  const response = await fetch(nsqd.httpUrl + path, { method: "POST", body });
  return [response.status, await response.text()];
}

async function ping(nsqd: NsqdInProcess): Promise<[number, string]> {
  const response = await fetch(`${nsqd.httpUrl}/ping`);
  return [response.status, await response.text()];
}

const COMMANDS: readonly (readonly [command: string, sent: string | Uint8Array])[] = [
  ["PUB", pub("blocked", "a")],
  ["MPUB", mpub("blocked", ["a", "b"])],
  ["DPUB", withBody("DPUB blocked 5", "a")],
  ["SUB", "SUB blocked c\n"],
];

for (const [command, sent] of COMMANDS) {
  blockedTest(
    `Nsqd answers ${command} to a topic whose store cannot be opened with an error`,
    async (nsqd) => {
      const [frame, ...more] = await answerTo(nsqd, sent);

      if (frame?.type !== "error") throw new Error(`An error was expected, not ${frame?.type}`);
      assertMatch(frame.text, new RegExp(`^E_${command}_FAILED ${command} failed .*Not a directory.*$`));
      assertEquals(more, []);
      assertEquals(nsqd.lines.filter((line) => line.includes("TOPIC(blocked)")).length, 1);
      assertEquals(nsqd.nsqd.broker.topics.has("blocked"), false);
    },
  );
}

for (const path of ["/pub?topic=blocked", "/mpub?topic=blocked", "/topic/create?topic=blocked"]) {
  blockedTest(`Nsqd answers POST ${path} with 503 when its store cannot be opened`, async (nsqd) => {
    assertEquals(await post(nsqd, path), [503, '{"message":"EXITING"}']);
    assertEquals(nsqd.lines.filter((line) => /panic|FATAL/.test(line)), []);
    assertEquals(nsqd.lines.filter((line) => line.includes("TOPIC(blocked)")).length, 1);
  });
}

blockedTest("Nsqd goes on with other topics, on the same connection, too", async (nsqd) => {
  using client = await nsqd.connect();

  await client.send(pub("other", "a"), pub("blocked", "b"));
  const frames = await client.rest();

  assertEquals(frames[0], { type: "response", text: "OK" });
  assertEquals(frames[1]?.type, "error");
  assertEquals(await post(nsqd, "/pub?topic=other"), [200, "OK"]);
  assertEquals(nsqd.nsqd.broker.topics.get("other")?.depth, 2);
});

blockedTest("Nsqd is not well as long as a store cannot be opened, and no longer", async (nsqd, blocker) => {
  assertEquals(await ping(nsqd), [200, "OK"]);

  await answerTo(nsqd, pub("blocked", "a"));
  const [status, text] = await ping(nsqd);
  // Others are written to meanwhile.
  for (let i = 0; i < 10; i++) await post(nsqd, "/pub?topic=other");
  const [later] = await ping(nsqd);
  await Deno.remove(blocker);
  await eventually("it is well", async () => (await ping(nsqd))[0] === 200);

  assertEquals([status, later], [500, 500]);
  assertMatch(text, /^NOK - .*Not a directory/);
  assertEquals(await post(nsqd, "/pub?topic=blocked"), [200, "OK"]);
});
