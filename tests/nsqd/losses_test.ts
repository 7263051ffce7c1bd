import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { mpub, pub } from "../support/frames.ts";
import { type NsqdInProcess, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

// What somebody, or a disk, has done to the files of an nsqd that had been stopped in order.

const BODIES = ["a", "b", "c", "d"];
const OPTIONS = { durability: "fsync" } as const;
/** Where the second batch of the segment begins: behind the header, and a batch with a body of one byte. */
const SECOND_BATCH = 16 + 34 + 4 + 1;

interface Damage {
  readonly what: string;
  readonly how: (file: string) => void;
  /** What is delivered all the same. */
  readonly left: readonly string[];
  /** Lines of the log, without numbers. */
  readonly lines: readonly string[];
  /** Endings of the files that are kept aside. */
  readonly aside: readonly string[];
}

const DAMAGES: readonly Damage[] = [
  {
    what: "that ends behind its first message",
    how: (file) => Deno.truncateSync(file, SECOND_BATCH),
    left: ["a"],
    lines: ["ERROR: TOPIC(t): segment # has lost its end, with 3 messages"],
    aside: [".0.bad"],
  },
  {
    what: "that was torn in its third message",
    how: (file) => Deno.truncateSync(file, SECOND_BATCH + 34 + 4 + 1 + 36),
    left: ["a", "b"],
    lines: ["ERROR: TOPIC(t): segment # has lost its end, with 2 messages"],
    aside: [".0.bad"],
  },
  {
    what: "of which only the header is left",
    how: (file) => Deno.truncateSync(file, 16),
    left: [],
    lines: [
      "ERROR: TOPIC(t): segment # is damaged at byte 0, 16 bytes are kept aside - nothing is left of it",
      "ERROR: TOPIC(t): segment # has lost its end, with 4 messages",
    ],
    aside: [".seg.bad"],
  },
  {
    what: "that is empty",
    how: (file) => Deno.truncateSync(file, 0),
    left: [],
    lines: [
      "ERROR: TOPIC(t): segment # is damaged at byte 0, 0 bytes are kept aside - nothing is left of it",
      "ERROR: TOPIC(t): segment # has lost its end, with 4 messages",
    ],
    aside: [".seg.bad"],
  },
  {
    what: "that is all NULs",
    how: (file) => Deno.writeFileSync(file, new Uint8Array(Deno.statSync(file).size)),
    left: [],
    lines: [
      "ERROR: TOPIC(t): segment # is damaged at byte 0, 272 bytes are kept aside - nothing is left of it",
      "ERROR: TOPIC(t): segment # has lost its end, with 4 messages",
    ],
    aside: [".seg.bad"],
  },
  {
    what: "that was removed",
    how: (file) => Deno.removeSync(file),
    left: [],
    lines: ["ERROR: TOPIC(t): from segment # on 4 messages are missing - lost"],
    aside: [],
  },
];

for (const { what, how, left, lines, aside } of DAMAGES) {
  Deno.test(`Nsqd tells what is lost with a segment ${what} after a stop in order, once, and counts it`, async () => {
    await withDataPath(async (dataPath) => {
      await withNsqd(dataPath, OPTIONS, publishAll);
      how(`${dataPath}/t.topic/${segmentOf(dataPath)}`);

      let stats: unknown;
      let bodies: string[] = [];
      const first = await withNsqd(dataPath, OPTIONS, async (nsqd) => {
        stats = await statsOf(nsqd);
        bodies = await consumeAll(nsqd, left.length);
      });
      const second = await withNsqd(dataPath, OPTIONS, () => Promise.resolve());

      assertEquals(problemsOf(first), [...lines]);
      assertEquals(stats, { lost_count: BODIES.length - left.length, depth: left.length, text: true });
      assertEquals(bodies, [...left]);
      assertEquals(problemsOf(second), []);
      assertEquals(asideIn(dataPath), [...aside]);
    });
  });
}

Deno.test("Nsqd keeps no file open of topics that have messages on disk and rest", async () => {
  await withDataPath(async (dataPath) => {
    await withNsqd(dataPath, { durability: "disk", syncTimeoutMs: 10 }, async (nsqd) => {
      using client = await nsqd.connect();
      for (let i = 0; i < 20; i++) assertEquals(await client.ask(pub(`t${i}`, "x")), "OK");

      await eventually("all files are closed", () => openFilesIn(dataPath).length === 0);

      assertEquals(await client.ask(pub("t0", "y")), "OK");
      assertEquals(nsqd.nsqd.broker.topics.get("t0")?.depth, 2);
    });
  });
});

async function publishAll(nsqd: NsqdInProcess): Promise<void> {
  nsqd.nsqd.broker.topic("t").channel("c");
  using client = await nsqd.connect();
  for (const body of BODIES) assertEquals(await client.ask(mpub("t", [body])), "OK");
}

/** Consumes so many messages, and sees that there are no more. */
async function consumeAll(nsqd: NsqdInProcess, count: number): Promise<string[]> {
  using client = await nsqd.connect();
  await client.ask("SUB t c\n");
  await client.send("RDY 100\n");
  const bodies: string[] = [];
  for (let i = 0; i < count; i++) {
    const { id, body } = await client.message();
    bodies.push(body);
    await client.send(`FIN ${id}\n`);
  }
  assertEquals(await client.ask(pub("other", "x")), "OK");
  assertEquals(nsqd.nsqd.broker.topics.get("t")?.channels.get("c")?.depth, 0);
  return bodies;
}

/** What `/stats` says of the topic and its channel, and whether its text says the same. */
async function statsOf(nsqd: NsqdInProcess): Promise<unknown> {
  const json = await fetch(`${nsqd.httpUrl}/stats?format=json&topic=t`);
  const { topics: [{ lost_count, channels: [{ depth }] }] } = await json.json();
  const text = await (await fetch(`${nsqd.httpUrl}/stats?topic=t`)).text();
  return { lost_count, depth, text: text.includes(`lost: ${lost_count}`) };
}

/** Endings of the files that are kept aside of the topic, which may have none at all. */
function asideIn(dataPath: string): string[] {
  const folders = [...Deno.readDirSync(dataPath)].filter(({ name }) => name === "t.topic");
  const names = folders.flatMap(({ name }) => [...Deno.readDirSync(`${dataPath}/${name}`)]);
  return names.filter(({ name }) => name.endsWith(".bad")).map(({ name }) => name.slice(14));
}

function segmentOf(dataPath: string): string {
  const names = [...Deno.readDirSync(`${dataPath}/t.topic`)].map(({ name }) => name);
  const [segment, ...others] = names.filter((name) => name.endsWith(".seg"));
  assertEquals(others, []);
  return segment;
}

/** Warnings and errors, without numbers of segments. */
function problemsOf(lines: readonly string[]): string[] {
  return lines.filter((line) => /^(WARNING|ERROR): TOPIC/.test(line)).map((line) =>
    line.replace(/segment \d+/, "segment #")
  );
}

/** Files below the folder that this process has open; the folder itself is locked. */
function openFilesIn(folder: string): string[] {
  const fds = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name);
  return fds.flatMap((fd) => {
    try {
      const path = Deno.readLinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(`${folder}/`) ? [path] : [];
    } catch (error) {
      // It was closed meanwhile.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}
