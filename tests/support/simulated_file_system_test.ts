import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MixedRandom } from "./mixed_random.ts";
import { SimulatedDisk } from "./simulated_disk.ts";
import { Died, FaultError, SimulatedFileSystem } from "./simulated_file_system.ts";

const SEEDS = 200;

Deno.test("SimulatedFileSystem reads back what was written", async () => {
  const { files } = begin();
  const file = files.openAppend("/d/f");
  file.append(bytes("one "));
  file.append(bytes("two"));
  file.truncate(5);

  assertEquals(file.size, 5);
  assertEquals(text(files.readSync("/d/f")), "one t");
  assertEquals(files.readEnd("/d/f", 3), { size: 5, end: bytes("e t") });
  const reading = files.read("/d/f");
  files.endOne();
  assertEquals(text(await reading), "one t");
  const part = files.readPart("/d/f", { offset: 1, length: 2 });
  files.endOne();
  assertEquals(await part, { size: 5, bytes: bytes("ne") });
  file.close();
  assertEquals(files.openFiles, 0);
});

Deno.test("SimulatedFileSystem gives copies of what it holds", () => {
  const { files } = begin();
  const written = bytes("abc");
  files.write("/d/f", written);
  written[0] = 0;
  files.readSync("/d/f")[1] = 0;

  assertEquals(text(files.readSync("/d/f")), "abc");
});

Deno.test("SimulatedFileSystem says NotFound of what is not there", async () => {
  const { files } = begin();

  assertThrows(() => files.readSync("/d/f"), Deno.errors.NotFound);
  assertThrows(() => files.remove("/d/f"), Deno.errors.NotFound);
  assertThrows(() => files.rename("/d/f", "/d/g"), Deno.errors.NotFound);
  assertThrows(() => files.list("/e"), Deno.errors.NotFound);
  assertThrows(() => files.openAppend("/e/f"), Deno.errors.NotFound);
  assertThrows(() => files.removeFolder("/e"), Deno.errors.NotFound);
  await assertRejects(() => files.syncFile("/d/f"), Deno.errors.NotFound);
});

Deno.test("SimulatedFileSystem.makeFolder() says whether the folder is new, removeFolder() takes all that is in it", () => {
  const { files } = begin();

  assertEquals([files.makeFolder("/d/e"), files.makeFolder("/d/e")], [true, false]);
  files.write("/d/e/f", bytes("x"));
  assertEquals(files.list("/d"), [{ name: "e", isFolder: true }]);
  files.removeFolder("/d/e");

  assertEquals(files.list("/d"), []);
});

Deno.test("SimulatedFileSystem.unlink() removes a file when it ends, and says NotFound when it is gone by then", async () => {
  const { files } = begin();
  files.write("/d/f", bytes("x"));

  const unlinked = [files.unlink("/d/f"), files.unlink("/d/f")];
  const during = files.list("/d").length;
  files.endOne();
  files.endOne();
  const ends = await Promise.allSettled(unlinked);

  assertEquals([during, files.list("/d")], [1, []]);
  assertEquals(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

Deno.test("SimulatedFileSystem.removeTree() takes one name after the other, in any order, and ends anywhere", async () => {
  const left = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = begin({ seed });
    files.makeFolder("/d/e");
    for (const name of ["a", "b"]) files.write(`/d/e/${name}`, bytes(""));

    const removed = files.removeTree("/d/e");
    let done = false;
    removed.then(() => done = true);
    for (let calls = seed % 4; calls > 0; calls--) {
      files.endOne();
      await Promise.resolve();
    }
    await Promise.resolve();

    left.add(`${seed % 4} ends, ${done}: ${disk.paths().join(" ")}${disk.find("/d/e") ? "" : " gone"}`);
  }

  assertEquals([...left].sort(), [
    "0 ends, false: /d/e/a /d/e/b",
    "1 ends, false: /d/e/a",
    "1 ends, false: /d/e/b",
    "2 ends, false: ",
    "3 ends, true:  gone",
  ]);
});

Deno.test("SimulatedDisk loses bytes and names that were not synced, or parts of them", () => {
  const survivors = outcomes((files) => files.write("/d/f", bytes("abcdef")), { gaps: false });

  assertEquals(survivors, [
    "",
    "/d/f=",
    "/d/f=a",
    "/d/f=ab",
    "/d/f=abc",
    "/d/f=abcd",
    "/d/f=abcde",
    "/d/f=abcdef",
  ]);
});

Deno.test("SimulatedDisk keeps what was synced", () => {
  const survivors = outcomes((files) => {
    files.write("/d/f", bytes("abcdef"));
    files.syncSync("/d/f");
    files.syncSync("/d");
  }, { gaps: true });

  assertEquals(survivors, ["/d/f=abcdef"]);
});

Deno.test("SimulatedDisk may have a name without its bytes, but no bytes without a name", () => {
  const named = outcomes((files) => {
    files.write("/d/f", bytes("ab"));
    files.syncSync("/d");
  }, { gaps: false });
  const unnamed = outcomes((files) => {
    files.write("/d/f", bytes("ab"));
    files.syncSync("/d/f");
  }, { gaps: false });

  assertEquals(named, ["/d/f=", "/d/f=a", "/d/f=ab"]);
  assertEquals(unnamed, ["", "/d/f=ab"]);
});

Deno.test("SimulatedDisk with gaps has zeros and older bytes where later ones are there already", () => {
  const survivors = outcomes((files) => {
    const file = files.openAppend("/d/f");
    file.append(new Uint8Array(16).fill(1));
    files.syncSync("/d/f");
    files.syncSync("/d");
    file.append(new Uint8Array(16).fill(2));
    file.append(new Uint8Array(16).fill(3));
  }, { gaps: true }).map((survivor) => survivor.replace("/d/f=", ""));

  const block = (code: number) => String.fromCharCode(code).repeat(16);
  assert(survivors.every((survivor) => survivor.startsWith(block(1))), "synced bytes are there");
  assert(survivors.includes(block(1) + block(0) + block(3)), "later ones without earlier ones");
  assert(survivors.includes(block(1) + block(2) + block(0)), "a size without bytes");
});

Deno.test("SimulatedDisk cuts a file off, or not, when that was not synced", () => {
  const survivors = outcomes((files) => {
    files.write("/d/f", bytes("abcdef"));
    files.syncSync("/d/f");
    files.syncSync("/d");
    const file = files.openAppend("/d/f");
    file.truncate(3);
    file.append(bytes("X"));
  }, { gaps: false });

  assertEquals(survivors, ["/d/f=abc", "/d/f=abcX", "/d/f=abcdef"]);
});

Deno.test("SimulatedDisk changes names in their order, in all of it or in each folder by itself", () => {
  const work = (files: SimulatedFileSystem) => {
    files.makeFolder("/d/e");
    files.syncSync("/d");
    files.write("/d/1", bytes(""));
    files.write("/d/e/2", bytes(""));
    files.write("/d/3", bytes(""));
  };

  assertEquals(outcomes(work, { gaps: false }), ["", "/d/1=", "/d/1= /d/3= /d/e/2=", "/d/1= /d/e/2="]);
  assertEquals(outcomes(work, { gaps: false, byFolder: true }), [
    "",
    "/d/1=",
    "/d/1= /d/3=",
    "/d/1= /d/3= /d/e/2=",
    "/d/1= /d/e/2=",
    "/d/e/2=",
  ]);
});

Deno.test("SimulatedDisk renames at once or not at all, and whole files when they were synced before", () => {
  const replace = (files: SimulatedFileSystem) => {
    files.write("/d/f", bytes("old"));
    files.syncSync("/d/f");
    files.syncSync("/d");
    files.write("/d/g", bytes("new"));
    files.syncSync("/d/g");
    files.rename("/d/g", "/d/f");
    files.syncSync("/d");
  };
  const forget = (files: SimulatedFileSystem) => {
    files.write("/d/f", bytes("old"));
    files.syncSync("/d/f");
    files.syncSync("/d");
    files.write("/d/g", bytes("n"));
    files.rename("/d/g", "/d/f");
  };

  assertEquals(outcomes(replace, { gaps: true }), ["/d/f=new"]);
  assertEquals(outcomes(forget, { gaps: false }), [
    "/d/f=",
    "/d/f=n",
    "/d/f=old",
    "/d/f=old /d/g=",
    "/d/f=old /d/g=n",
  ]);
});

Deno.test("SimulatedFileSystem.sync() counts for what was there when it began, when it has ended", async () => {
  const { disk, files } = begin();
  const file = files.openAppend("/d/f");
  files.syncSync("/d");
  file.append(bytes("ab"));
  const syncing = file.sync();
  file.append(bytes("cd"));

  assertEquals(survivorsOf(disk, { gaps: false }), ["/d/f=", "/d/f=a", "/d/f=ab", "/d/f=abc", "/d/f=abcd"]);
  files.endOne();
  await syncing;
  assertEquals(survivorsOf(disk, { gaps: false }), ["/d/f=ab", "/d/f=abc", "/d/f=abcd"]);
  file.close();
});

Deno.test("SimulatedFileSystem may lose for ever what a sync that failed should have written", async () => {
  const failures: Promise<unknown>[] = [];
  const survivors = outcomes((files) => {
    const file = files.openAppend("/d/f");
    files.syncSync("/d");
    file.append(bytes("ab"));
    files.fault = (call) => call === "sync" ? "EIO" : undefined;
    failures.push(assertRejects(() => file.sync(), FaultError, "Input/output error"));
    files.fault = () => undefined;
    file.append(bytes("cd"));
    files.syncSync("/d/f");
  }, { gaps: false });

  await Promise.all(failures);
  assertEquals(survivors, ["/d/f=\0\0cd", "/d/f=abcd"]);
});

Deno.test("SimulatedFileSystem lets calls fail, some of them half-way", () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { files } = begin({ seed });
    const file = files.openAppend("/d/f");
    files.fault = () => "ENOSPC";
    assertThrows(() => file.append(bytes("abc")), FaultError, "No space left on device");
    assertThrows(() => files.makeFolder("/d/e"), FaultError);
    // A full disk can be read, and things can be removed from it.
    lengths.add(files.readSync("/d/f").length);
    files.remove("/d/f");
  }

  assertEquals([...lengths].sort(), [0, 1, 2, 3]);
});

Deno.test("SimulatedFileSystem ends the program in the middle of a call, and nothing has an effect any more", async () => {
  const { disk, files } = begin();
  const file = files.openAppend("/d/f");
  const syncing = files.syncFile("/d/f");
  files.lastCall = files.calls + 1;

  assertThrows(() => file.append(bytes("abc")), Died);
  const left = disk.paths();
  assertThrows(() => files.write("/d/g", bytes("x")), Died);
  await assertRejects(() => files.syncFile("/d/f"), Died);
  files.endOne();

  assertEquals([files.dead, disk.paths()], [true, left]);
  let ended = false;
  syncing.then(() => ended = true);
  await Promise.resolve();
  assertEquals(ended, false);
});

/** A disk with an empty folder, that is synced. */
function begin(options: { seed?: number; byFolder?: boolean } = {}) {
  const disk = new SimulatedDisk({ byFolder: options.byFolder ?? false });
  const files = new SimulatedFileSystem(disk, { random: new MixedRandom(options.seed ?? 0) });
  files.makeFolder("/d");
  files.syncSync("/");
  return { disk, files };
}

/** What may be left after the work and a loss of power: paths and texts of files, each possibility once, in order. */
function outcomes(
  work: (files: SimulatedFileSystem) => void,
  options: { gaps: boolean; byFolder?: boolean },
): string[] {
  const all = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { disk, files } = begin({ ...options, seed });
    work(files);
    for (const survivor of survivorsOf(disk, { ...options, first: 10 * seed, seeds: 10 })) all.add(survivor);
  }
  return [...all].sort();
}

function survivorsOf(
  disk: SimulatedDisk,
  options: { gaps: boolean; first?: number; seeds?: number },
): string[] {
  const all = new Set<string>();
  const { first = 0, seeds = SEEDS } = options;
  for (let seed = first; seed < first + seeds; seed++) {
    const survivor = disk.survivor(new MixedRandom(seed), options);
    const files = new SimulatedFileSystem(survivor, { random: new MixedRandom(0) });
    all.add(survivor.paths().map((path) => `${path}=${text(files.readSync(path))}`).join(" "));
  }
  return [...all].sort();
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
