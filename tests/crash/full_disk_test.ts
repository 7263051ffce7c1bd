import { assert, assertEquals, assertRejects } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { type MessageFrame, mpub, pub, withBody } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { interopTest } from "../support/interop.ts";
import { nsqdCommand, type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { LimitedFiles, MountedDisk, type SmallDisk } from "./full_disk.ts";

const TOPIC = "t";
/** As many as may be in flight to one consumer are left after this many of this size on a disk of 4 MiB. */
const BODY_LENGTH = 3000;
const READY_MAX = 2500;
/** What is published at the end. */
const LAST = "the last one";
/** Lines of the log about a disk that fills up, at most; a hundred publishes are refused. */
const LINES_MAX = 8;
/** An error must come at once, not when something times out, in ms: less than any limit of nsqd's, and enough for a busy machine. */
const AT_ONCE_MS = 20_000;
const DURABILITIES = ["memory", "disk", "fsync"] as const;
const DISKS: readonly { name: string; make: () => Promise<SmallDisk> }[] = [
  { name: "a small file system", make: () => MountedDisk.make({ size: "4m" }) },
  { name: "a limit on the size of files", make: () => LimitedFiles.make() },
];

for (const { name, make } of DISKS) {
  for (const durability of DURABILITIES) {
    interopTest(
      `Nsqd refuses what it cannot keep, delivers the rest, and heals: ${durability}, ${name}`,
      make,
      (disk) => fillAndHeal(disk, durability),
    );
  }
  for (const durability of ["disk", "fsync"] as const) {
    interopTest(
      `Nsqd loses nothing that it acknowledged when it is killed on a full disk: ${durability}, ${name}`,
      make,
      (disk) => killWhileFull(disk, durability),
    );
  }
}

interopTest(
  "Nsqd delivers from a file system that is read only, and publishes again when it is not",
  () => MountedDisk.make({ size: "4m" }),
  async (disk) => {
    const bodies = ["a", "b", "c"];
    {
      await using nsqd = await start(disk, "disk");
      await createChannel(nsqd);
      using client = await RawClient.connect(nsqd.tcpAddress);
      assertEquals(await client.ask(mpub(TOPIC, bodies)), "OK");
      await nsqd.kill();
    }
    await disk.setReadOnly(true);

    await using nsqd = await start(disk, "disk");
    await nsqd.run(async () => {
      using consumer = await subscribe(nsqd);
      assertEquals((await take(consumer, bodies.length)).map(({ body }) => body), bodies);
      await refusesEverything(nsqd, "Read-only file system (os error 30)");
      await disk.setReadOnly(false);
      await heals(nsqd);
    });
  },
);

interopTest(
  "Nsqd does not start on a data path without topics that cannot be written to, and says why",
  () => MountedDisk.make({ size: "4m" }),
  async (disk) => {
    await disk.setReadOnly(true);

    const error = await assertRejects(() => start(disk, "disk"), Error, "ended with exit code 1");

    const reason = `Read-only file system (os error 30): open '${disk.dataPath}/nsqd.probe'`;
    assert(error.message.includes(`failed to write to data-path: ${reason}`), error.message);
  },
);

async function fillAndHeal(disk: SmallDisk, durability: string): Promise<void> {
  await using nsqd = await start(disk, durability);
  await nsqd.run(async () => {
    await createChannel(nsqd);
    const load = await publishUntilFull(nsqd, disk);
    await refusesEverything(nsqd, disk.fullText);

    // In flight and not finished: so the disk stays full.
    using consumer = await subscribe(nsqd);
    const messages = await take(consumer, load.acknowledged.length);
    assertEquals(messages.map(({ body }) => body).toSorted(), load.acknowledged.toSorted());

    await disk.makeRoom(nsqd.pid);
    await heals(nsqd);
    saidSeldom(nsqd);

    let last = "";
    while (!last.startsWith(LAST)) {
      const [message] = await take(consumer, 1);
      assert(!load.refused.includes(message.body), message.body);
      messages.push(message);
      last = message.body;
    }
    await consumer.send(...messages.map(({ id }) => `FIN ${id}\n`));
    await eventually("everything is finished, and its files have gone", async () => {
      const { depth, in_flight_count } = await channelStats(nsqd);
      return depth + in_flight_count === 0 && !disk.hasSegments(TOPIC);
    });
  });
}

async function killWhileFull(disk: SmallDisk, durability: string): Promise<void> {
  let load: Load;
  {
    await using nsqd = await start(disk, durability);
    await createChannel(nsqd);
    load = await nsqd.run(() => publishUntilFull(nsqd, disk));
    await nsqd.kill();
  }

  await using nsqd = await start(disk, durability);
  await nsqd.run(async () => {
    using consumer = await subscribe(nsqd);
    const missing = new Set(load.acknowledged);
    while (missing.size > 0) {
      const [{ body }] = await take(consumer, 1);
      missing.delete(body);
    }
    await refusesEverything(nsqd, disk.fullText);

    await disk.makeRoom(nsqd.pid);
    await heals(nsqd);
    saidSeldom(nsqd);
  });
}

function start(disk: SmallDisk, durability: string): Promise<NsqdProcess> {
  return startNsqd({
    command: disk.command(nsqdCommand()),
    dataPath: disk.dataPath,
    // Beyond the memory of `memory` it spills.
    args: [
      `--durability=${durability}`,
      "--mem-queue-size=10",
      "--sync-timeout=100ms",
      "--max-msg-timeout=10m",
    ],
  });
}

async function createChannel(nsqd: NsqdProcess): Promise<void> {
  for (const path of [`topic/create?topic=${TOPIC}`, `channel/create?topic=${TOPIC}&channel=c`]) {
    assertEquals((await post(nsqd, path, "")).status, 200);
  }
}

/** What publishers were told. */
interface Load {
  readonly acknowledged: string[];
  readonly refused: string[];
}

/** Publishers work at the same time until each has been refused, and then again and again. */
async function publishUntilFull(nsqd: NsqdProcess, disk: SmallDisk): Promise<Load> {
  const load: Load = { acknowledged: [], refused: [] };
  let rounds = 0;
  const limited = disk instanceof LimitedFiles;
  const publishers = [
    publishOverTcp(nsqd, { load, name: "PUB", command: ([body]) => pub(TOPIC, body) }),
    publishOverTcp(nsqd, { load, name: "MPUB", command: (bodies) => mpub(TOPIC, bodies) }),
    publishOverHttp(nsqd, load),
  ];
  if (limited) {
    await eventually("some messages", () => ++rounds > 20 && load.acknowledged.length > 50);
    await disk.fill(nsqd.pid);
  }
  await Promise.all(publishers);
  // Smaller messages may still have fitted.
  if (!limited) await disk.fill(nsqd.pid);
  assert(
    load.acknowledged.length > 50 && load.acknowledged.length < READY_MAX,
    `${load.acknowledged.length}`,
  );
  return load;
}

async function publishOverTcp(
  nsqd: NsqdProcess,
  options: { load: Load; name: string; command: (bodies: string[]) => Uint8Array },
): Promise<void> {
  const { load, name, command } = options;
  for (let i = 0, refusals = 0; refusals < 10;) {
    using client = await RawClient.connect(nsqd.tcpAddress);
    for (let answer = "OK"; answer === "OK"; i++) {
      const bodies = Array.from({ length: name === "PUB" ? 1 : 5 }, (_, j) => bodyOf(`${name} ${i} ${j}`));
      answer = await client.ask(command(bodies));
      if (answer === "OK") {
        load.acknowledged.push(...bodies);
      } else {
        assert(answer.startsWith(`E_${name}_FAILED ${name} failed `), answer);
        load.refused.push(...bodies);
        refusals++;
      }
    }
    assertEquals(await client.rest(), []);
  }
}

async function publishOverHttp(nsqd: NsqdProcess, load: Load): Promise<void> {
  for (let i = 0, refusals = 0; refusals < 10; i++) {
    const body = bodyOf(`HTTP ${i}`);
    const answer = await post(nsqd, `pub?topic=${TOPIC}`, body);
    if (answer.text === "OK") {
      load.acknowledged.push(body);
    } else {
      assertEquals(answer, { status: 503, text: '{"message":"EXITING"}' });
      load.refused.push(body);
      refusals++;
    }
  }
}

/** Every way to publish fails at once, and `/ping` says why. */
async function refusesEverything(nsqd: NsqdProcess, reason: string): Promise<void> {
  // What is in memory only may still find room there.
  await eventually("the memory is full", async () => {
    using client = await RawClient.connect(nsqd.tcpAddress);
    return await client.ask(pub(TOPIC, bodyOf("more"))) !== "OK";
  });
  const commands = [
    { name: "PUB", command: pub(TOPIC, bodyOf("refused")) },
    { name: "MPUB", command: mpub(TOPIC, [bodyOf("refused"), bodyOf("refused")]) },
    { name: "DPUB", command: withBody(`DPUB ${TOPIC} 1000`, bodyOf("refused")) },
  ];
  for (const { name, command } of commands) {
    using client = await RawClient.connect(nsqd.tcpAddress);
    const answer = await atOnce(client.ask(command));
    assert(answer.startsWith(`E_${name}_FAILED ${name} failed ${reason}`), answer);
  }
  for (const path of [`pub?topic=${TOPIC}`, `mpub?topic=${TOPIC}`, `pub?topic=${TOPIC}&defer=1000`]) {
    const answer = await atOnce(post(nsqd, path, bodyOf("refused")));
    assertEquals(answer, { status: 503, text: '{"message":"EXITING"}' });
  }
  const health = await eventually("the health is bad", async () => {
    const answer = await ping(nsqd);
    return answer.status !== 200 && answer;
  });
  assertEquals(health.status, 500);
  assert(health.text.startsWith(`NOK - ${reason}`), health.text);
}

/** Without a publish `/ping` is content again, and publishing works. */
async function heals(nsqd: NsqdProcess): Promise<void> {
  await eventually("it heals", async () => (await ping(nsqd)).text === "OK");
  using client = await RawClient.connect(nsqd.tcpAddress);
  assertEquals(await client.ask(pub(TOPIC, bodyOf("healed"))), "OK");
  assertEquals(await client.ask(mpub(TOPIC, [bodyOf("healed")])), "OK");
  assertEquals((await post(nsqd, `pub?topic=${TOPIC}`, LAST)).text, "OK");
}

async function subscribe(nsqd: NsqdProcess): Promise<RawClient> {
  const client = await RawClient.connect(nsqd.tcpAddress);
  assertEquals(await client.ask(`SUB ${TOPIC} c\n`), "OK");
  await client.send(`RDY ${READY_MAX}\n`);
  return client;
}

/** That many messages of the channel, which stay in flight. */
async function take(consumer: RawClient, count: number): Promise<MessageFrame[]> {
  const messages: MessageFrame[] = [];
  while (messages.length < count) messages.push(await consumer.message());
  return messages;
}

/**
 * The log does not tell of the full disk with every attempt; what clients are told is their own matter. While the disk
 * fills up, small messages may still fit between large ones, and then it tells again.
 */
function saidSeldom(nsqd: NsqdProcess): void {
  const lines = nsqd.log.split("\n").filter((line) => / (WARNING|ERROR): (?!\[)/.test(line));
  assert(lines.length > 0 && lines.length <= LINES_MAX, lines.join("\n"));
}

async function channelStats(nsqd: NsqdProcess): Promise<{ depth: number; in_flight_count: number }> {
  const response = await fetch(
    `http://${nsqd.httpAddress}/stats?format=json&topic=${TOPIC}&include_clients=false`,
  );
  const { topics } = await response.json();
  return topics[0].channels[0];
}

async function atOnce<T>(answer: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const result = await answer;
  const tookMs = performance.now() - startMs;
  assert(tookMs < AT_ONCE_MS, `an answer took ${Math.round(tookMs)} ms`);
  return result;
}

async function ping(nsqd: NsqdProcess): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${nsqd.httpAddress}/ping`);
  return { status: response.status, text: await response.text() };
}

async function post(
  nsqd: NsqdProcess,
  path: string,
  body: string,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${nsqd.httpAddress}/${path}`, { method: "POST", body });
  return { status: response.status, text: await response.text() };
}

/** A body that begins with the text. */
function bodyOf(text: string): string {
  return text.padEnd(BODY_LENGTH, ".");
}
