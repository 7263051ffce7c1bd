/**
 * nsqd on a disk whose syncs take their time, or fail.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { bodies, mpub, pub, withBody } from "../support/frames.ts";
import {
  countsOf,
  type NsqdInProcess,
  nsqdTest,
  withDataPath,
  withNsqd,
} from "../support/nsqd_in_process.ts";

/** Topics are synced, but those of other names, and nothing else happens by itself. */
const OPTIONS = {
  durability: "fsync",
  durabilityTopics: ["memory.*=memory"],
  syncTimeoutMs: 3_600_000,
} as const;
const OK = "OK";
/** The first message of a topic needs that of nsqd.dat and that of the segment, at the same time. */
const NEW_TOPIC_SYNCS = 2;

const REQUESTS = [
  ["/pub?topic=t", "a", 1],
  ["/pub?topic=t&defer=1000", "a", 1],
  ["/mpub?topic=t", "a\nb\n", 2],
  ["/mpub?topic=t&binary=true", mpub("t", ["a", "b"]).slice("MPUB t\n".length + 4), 2],
] as const;

for (const [path, body, count] of REQUESTS) {
  diskTest(`POST ${path} is answered when the messages are synced, and not earlier`, async (nsqd, disk) => {
    disk.hold();
    let answered = false;

    const answer = post(nsqd, path, body).finally(() => answered = true);
    await eventually("the syncs", () => disk.syncs === NEW_TOPIC_SYNCS);
    assertEquals([answered, nsqd.nsqd.broker.topic("t").depth], [false, count]);
    disk.release();

    assertEquals(await answer, [200, "OK"]);
  });

  diskTest(`POST ${path} says that it is not kept when the sync fails`, async (nsqd, disk) => {
    disk.fails = true;

    assertEquals(await post(nsqd, path, body), [503, '{"message":"EXITING"}']);
  });
}

diskTest(
  "Nsqd answers other requests, and other topics' publishers, while a sync runs",
  async (nsqd, disk) => {
    disk.hold();
    const answer = post(nsqd, "/pub?topic=t", "a");
    await eventually("the syncs", () => disk.syncs === NEW_TOPIC_SYNCS);

    assertEquals(await get(nsqd, "/ping"), [200, "OK"]);
    assertEquals(await post(nsqd, "/pub?topic=memory.x", "b"), [200, "OK"]);
    using client = await nsqd.connect();
    assertEquals(await client.ask(pub("memory.y", "c")), OK);
    using consumer = await nsqd.connect();
    await consumer.ask("SUB t c\n");
    await consumer.send("RDY 1\n");
    assertEquals(bodies([await consumer.message()]), ["a"]);

    disk.release();
    assertEquals(await answer, [200, "OK"]);
  },
);

diskTest("Nsqd shares a sync between publishers over HTTP and TCP", async (nsqd, disk) => {
  using client = await nsqd.connect();
  disk.hold();
  const first = post(nsqd, "/pub?topic=t", "first");
  await eventually("the syncs", () => disk.syncs === NEW_TOPIC_SYNCS);

  const answers = Array.from({ length: 5 }, () => post(nsqd, "/pub?topic=t", "a"));
  await client.send(pub("t", "b"));
  await eventually("all messages", () => nsqd.nsqd.broker.topic("t").depth === 7);
  disk.release();

  assertEquals(await Promise.all([first, ...answers]), Array(6).fill([200, "OK"]));
  assertEquals(await client.answer(), OK);
  assertEquals(disk.syncs, NEW_TOPIC_SYNCS + 1);
});

diskTest("GET /ping tells that a sync has failed, until one works", async (nsqd, disk) => {
  using client = await nsqd.connect();
  disk.fails = true;
  assertEquals(await client.ask(pub("t", "a")), "E_PUB_FAILED PUB failed input/output error");
  assertEquals(await get(nsqd, "/ping"), [500, "NOK - input/output error"]);

  disk.fails = false;
  await eventually("a publish", async () => (await post(nsqd, "/pub?topic=t", "b"))[0] === 200);

  assertEquals(await get(nsqd, "/ping"), [200, "OK"]);
});

Deno.test("GET /ping says OK again although nobody publishes any more", async () => {
  await withDataPath(async (dataPath) => {
    using disk = new SlowDisk();
    await withNsqd(dataPath, { ...OPTIONS, syncTimeoutMs: 20 }, async (nsqd) => {
      disk.fails = true;
      assertEquals((await post(nsqd, "/pub?topic=t", "a"))[0], 503);
      assertEquals((await get(nsqd, "/ping"))[0], 500);
      disk.fails = false;

      await eventually("health", async () => (await get(nsqd, "/ping"))[0] === 200);
    });
  });
});

Deno.test("Nsqd.stop() ends while a client waits for a sync, and keeps the message", async () => {
  await withDataPath(async (dataPath) => {
    using disk = new SlowDisk();
    await withNsqd(dataPath, OPTIONS, async (nsqd) => {
      using client = await nsqd.connect();
      await client.ask("SUB t c\n");
      disk.hold();
      await client.send(pub("t", "a"));
      await eventually("the message", () => countsOf(nsqd, "t", "c").depth === 1);
      await eventually("a sync", () => disk.syncs > 0);

      const stopped = nsqd.nsqd.stop();
      disk.release();
      await stopped;
    });

    await withNsqd(dataPath, OPTIONS, (nsqd) => {
      assertEquals(countsOf(nsqd, "t", "c"), { depth: 1, inFlight: 0, deferred: 0 });
      return Promise.resolve();
    });
  });
});

Deno.test("Nsqd acknowledges no message of a topic that it cannot write down, until it can", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { ...OPTIONS, durability: "disk" }, async (nsqd) => {
      // It is in the way of the metadata file.
      Deno.removeSync(`${dataPath}/nsqd.dat`);
      Deno.mkdirSync(`${dataPath}/nsqd.dat/folder`, { recursive: true });
      using refused = await nsqd.connect();
      assertMatch(await refused.ask(pub("t", "a")), /^E_PUB_FAILED PUB failed /);
      assertEquals((await post(nsqd, "/pub?topic=t", "a"))[0], 503);
      assertEquals((await get(nsqd, "/ping"))[0], 500);
      using other = await nsqd.connect();
      assertEquals(await other.ask(pub("memory.x", "b")), OK);

      // The first of them was written before that was known.
      assertEquals(nsqd.nsqd.broker.topic("t").depth, 1);
      Deno.removeSync(`${dataPath}/nsqd.dat`, { recursive: true });
      await eventually("a publish", async () => (await post(nsqd, "/pub?topic=t", "c"))[0] === 200);

      assertEquals([nsqd.nsqd.broker.topic("t").depth, (await get(nsqd, "/ping"))[0]], [2, 200]);
    });
  });
});

Deno.test("Nsqd knows the topic and the channel of a message that it has said it keeps", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { ...OPTIONS, durability: "disk" }, async (nsqd) => {
      using client = await nsqd.connect();
      assertEquals(await client.ask("SUB t c\n"), OK);

      assertEquals(await client.ask(pub("t", "a")), OK);

      const { topics } = JSON.parse(Deno.readTextFileSync(`${dataPath}/nsqd.dat`));
      assertEquals(topics, [{ name: "t", paused: false, channels: [{ name: "c", paused: false }] }]);
    });
  });
});

diskTest("Nsqd serves everybody while nsqd.dat is synced", async (nsqd, disk, dataPath) => {
  disk.hold();
  assertEquals(await post(nsqd, "/topic/create?topic=memory.x", ""), [200, ""]);
  await eventually("a sync", () => disk.syncs === 1);

  assertEquals(await get(nsqd, "/ping"), [200, "OK"]);
  using client = await nsqd.connect();
  assertEquals(await client.ask(pub("memory.x", "a")), OK);
  assertEquals(await post(nsqd, "/topic/create?topic=memory.y", ""), [200, ""]);
  assertEquals(topicsIn(dataPath), []);
  disk.release();

  await eventually("both in the file", () => topicsIn(dataPath).join() === "memory.x,memory.y");
});

for (const path of ["/topic/pause?topic=t", "/channel/pause?topic=t&channel=c"]) {
  diskTest(
    `POST ${path} is answered when that is in nsqd.dat, and not earlier`,
    async (nsqd, disk, dataPath) => {
      await post(nsqd, "/topic/create?topic=t", "");
      await post(nsqd, "/channel/create?topic=t&channel=c", "");
      await eventually(
        "the topic in the file",
        () => Deno.readTextFileSync(`${dataPath}/nsqd.dat`).includes('"c"'),
      );
      disk.hold();
      const { syncs } = disk;
      let answered = false;

      const answer = post(nsqd, path, "").finally(() => answered = true);
      await eventually("a sync", () => disk.syncs === syncs + 1);
      const early = [answered, Deno.readTextFileSync(`${dataPath}/nsqd.dat`).includes("true")];
      disk.release();

      assertEquals([early, await answer], [[false, false], [200, ""]]);
      assertEquals(Deno.readTextFileSync(`${dataPath}/nsqd.dat`).includes("true"), true);
    },
  );
}

diskTest("Nsqd.stop() ends when nsqd.dat is written", async (nsqd, disk, dataPath) => {
  disk.hold();
  await post(nsqd, "/topic/create?topic=memory.x", "");
  await eventually("a sync", () => disk.syncs === 1);
  nsqd.nsqd.broker.topic("memory.y");

  const stopped = nsqd.nsqd.stop();
  await eventually("the end has begun", () => nsqd.lines.some((line) => line.includes("TCP: closing")));
  await eventually("HTTP is closed", () => nsqd.nsqd.runningTasks().every((task) => task !== "httpServer"));
  const early = [nsqd.lines.some((line) => line.includes("bye")), topicsIn(dataPath)];
  disk.release();
  await stopped;

  assertEquals([early, nsqd.lines.at(-1)], [[false, []], "INFO: NSQ: bye"]);
  assertEquals(topicsIn(dataPath), ["memory.x", "memory.y"]);
  assertEquals([...Deno.readDirSync(dataPath)].filter(({ name }) => name.endsWith(".tmp")), []);
});

nsqdTest(
  "Nsqd defers messages for up to --max-defer-timeout, and requeues for up to its own limit",
  async (nsqd) => {
    using client = await nsqd.connect();
    const day = 86_400_000;

    assertEquals(await client.ask(withBody(`DPUB t ${7 * day}`, "a")), OK);
    assertEquals(await post(nsqd, `/pub?topic=t&defer=${7 * day}`, "b"), [200, "OK"]);
    assertEquals(await post(nsqd, `/pub?topic=t&defer=${7 * day + 1}`, "b"), [
      400,
      '{"message":"INVALID_DEFER"}',
    ]);
    assertEquals(
      await client.ask(withBody(`DPUB t ${7 * day + 1}`, "a")),
      `E_INVALID DPUB timeout ${7 * day + 1} out of range 0-${7 * day}`,
    );
  },
  { maxDeferTimeoutMs: 7 * 86_400_000 },
);

nsqdTest("Nsqd defers messages for up to --max-req-timeout when there is no other limit", async (nsqd) => {
  using client = await nsqd.connect();

  assertEquals(await client.ask(withBody("DPUB t 5000", "a")), OK);
  assertEquals(await post(nsqd, "/pub?topic=t&defer=5001", "b"), [400, '{"message":"INVALID_DEFER"}']);
  assertEquals(
    await client.ask(withBody("DPUB t 5001", "a")),
    "E_INVALID DPUB timeout 5001 out of range 0-5000",
  );
}, { maxReqTimeoutMs: 5000 });

/** The machine's disk, whose syncs can be held up, and can fail. */
class SlowDisk implements Disposable {
  fails = false;
  /** How many syncs of files have begun. */
  syncs = 0;
  readonly #syncData = Deno.FsFile.prototype.syncData;
  #held: PromiseWithResolvers<void> | undefined;

  constructor() {
    const sync = (file: Deno.FsFile) => this.#sync(file);
    Deno.FsFile.prototype.syncData = function () {
      return sync(this);
    };
  }

  /** Lets syncs wait until `release()`. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
    Deno.FsFile.prototype.syncData = this.#syncData;
  }

  async #sync(file: Deno.FsFile): Promise<void> {
    this.syncs++;
    await this.#held?.promise;
    if (this.fails) throw new Error("input/output error");
    await this.#syncData.call(file);
  }
}

/** A test with an nsqd on a slow disk. */
function diskTest(
  name: string,
  test: (nsqd: NsqdInProcess, disk: SlowDisk, dataPath: string) => Promise<void>,
): void {
  Deno.test(name, () =>
    withDataPath(async (dataPath) => {
      using disk = new SlowDisk();
      await withNsqd(dataPath, OPTIONS, async (nsqd) => {
        disk.syncs = 0;
        try {
          await test(nsqd, disk, dataPath);
        } finally {
          disk.release();
          disk.fails = false;
        }
      });
    }));
}

/** Names of the topics in nsqd.dat. */
function topicsIn(dataPath: string): string[] {
  const { topics } = JSON.parse(Deno.readTextFileSync(`${dataPath}/nsqd.dat`));
  return (topics ?? []).map(({ name }: { name: string }) => name);
}

async function post({ httpUrl }: NsqdInProcess, path: string, body: BodyInit): Promise<[number, string]> {
  const answer = await fetch(httpUrl + path, { method: "POST", body });
  return [answer.status, await answer.text()];
}

async function get({ httpUrl }: NsqdInProcess, path: string): Promise<[number, string]> {
  const answer = await fetch(httpUrl + path);
  return [answer.status, await answer.text()];
}
