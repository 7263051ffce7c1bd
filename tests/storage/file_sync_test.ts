/**
 * In which order files and folders are synced, and what becomes of that when somebody removes them or a disk fails.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FileSegments } from "../../src/storage/file_segments.ts";
import { DENO_FILES, type FileSystem } from "../../src/storage/file_system.ts";
import { pieces } from "../support/pieces.ts";

const [ONE, TWO, THREE] = ["00000000000001.seg", "00000000000002.seg", "00000000000003.seg"];

Deno.test("FileSegments.sync() syncs the names of a new segment before its bytes", async () => {
  using test = new Folder();

  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();

  assertEquals(test.take(), ["syncFolder .", "syncFolder t.topic", `sync ${ONE}`]);
});

Deno.test("FileSegments.sync() syncs names once, and bytes whenever there are more", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.take();

  test.store.append(1, Uint8Array.of(2));
  await test.store.sync();
  assertEquals(test.take(), [`sync ${ONE}`]);
  test.store.append(2, Uint8Array.of(3));
  await test.store.sync();

  assertEquals(test.take(), ["syncFolder t.topic", `sync ${TWO}`]);
});

Deno.test("FileSegments.sync() does nothing when nothing was written", async () => {
  using test = new Folder();
  await test.store.sync();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.take();

  await test.store.sync();

  assertEquals(test.take(), []);
});

Deno.test("FileSegments.sync() syncs all the segments that were written to, also those that are not open", async () => {
  using test = new Folder();

  for (const base of [1, 2, 3, 1]) test.store.append(base, Uint8Array.of(1));
  await test.store.sync();

  // The last one is open.
  assertEquals(test.take().slice(2).sort(), [`sync ${ONE}`, `syncFile ${TWO}`, `syncFile ${THREE}`]);
});

Deno.test("FileSegments.sync() syncs what was cut off", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1, 2, 3));
  await test.store.sync();
  test.take();

  test.store.truncate(1, 1);
  await test.store.sync();

  assertEquals(test.take(), [`sync ${ONE}`]);
});

Deno.test("FileSegments of a folder that is there already does not sync the data path", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.take();
  const again = test.open();

  again.append(1, Uint8Array.of(2));
  await again.sync();

  assertEquals(test.take(), [`sync ${ONE}`]);
  again.close();
});

Deno.test("FileSegments.replace() syncs the image before it gets its name, and that afterwards", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.take();

  await test.store.replace(1, Uint8Array.of(2), () => true);

  assertEquals(test.take(), [
    `write ${ONE}.tmp`,
    `syncFile ${ONE}.tmp`,
    `rename ${ONE}.tmp ${ONE}`,
    "syncFolder t.topic",
  ]);
  await test.store.sync();
  assertEquals(test.take(), []);
});

Deno.test("FileSegments.replace() that is not wanted renames nothing", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  test.take();

  await test.store.replace(1, Uint8Array.of(2), () => false);

  assertEquals(test.take(), [`write ${ONE}.tmp`, `syncFile ${ONE}.tmp`, `remove ${ONE}.tmp`]);
  assertEquals([...test.store.readSync(1)], [1]);
});

Deno.test("FileSegments.replace() that fails does not forget what of the segment is to be synced", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.store.append(1, Uint8Array.of(2));
  test.failing = `rename ${ONE}.tmp ${ONE}`;
  await assertRejects(() => test.store.replace(1, Uint8Array.of(9), () => true), Error, "input/output error");
  test.failing = "";
  test.take();

  await test.store.sync();

  assertEquals(test.take(), [`syncFile ${ONE}`]);
  assertEquals([...test.store.readSync(1)], [1, 2]);
});

Deno.test("FileSegments.writeState() syncs the state before it gets its name, and that afterwards", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  test.take();

  await test.store.writeState(pieces(Uint8Array.of(1)));

  assertEquals(test.take(), [
    "write state.tmp",
    "syncFile state.tmp",
    "rename state.tmp state",
    "syncFolder t.topic",
  ]);
});

Deno.test("FileSegments.writeState() of nothing makes sure that what was removed stays so", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.writeState(pieces(Uint8Array.of(1)));
  await test.store.remove(1);
  test.take();

  await test.store.writeState(undefined);

  // And that the state does: it would miss them.
  assertEquals(test.take(), ["syncFolder t.topic", "remove state", "syncFolder t.topic"]);
});

Deno.test("FileSegments.writeState() that fails leaves the state that was, and no other file", async () => {
  for (const failing of ["write state.tmp", "syncFile state.tmp", "rename state.tmp state"]) {
    using test = new Folder();
    await test.store.writeState(pieces(Uint8Array.of(1)));
    test.failing = failing;

    await assertRejects(() => test.store.writeState(pieces(Uint8Array.of(2))), Error, "input/output error");

    test.failing = "";
    assertEquals([[...test.store.readState() ?? []], test.files()], [[1], ["state"]], failing);
  }
});

for (const failing of ["syncFolder .", "syncFolder t.topic", `sync ${ONE}`]) {
  Deno.test(`FileSegments.sync() does all of it again that failed at "${failing}"`, async () => {
    using test = new Folder();
    test.store.append(1, Uint8Array.of(1));
    test.failing = failing;
    await assertRejects(() => test.store.sync(), Error, "input/output error");
    const first = test.take();
    assertEquals(first.at(-1), failing);
    test.failing = "";

    await test.store.sync();

    const all = ["syncFolder .", "syncFolder t.topic", `sync ${ONE}`];
    assertEquals(test.take(), failing.startsWith("sync ") ? [failing] : all);
    await test.store.sync();
    assertEquals(test.take(), []);
  });
}

Deno.test("FileSegments.sync() syncs all segments though one of them fails, and that one again", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  test.store.append(2, Uint8Array.of(1));
  test.failing = `syncFile ${ONE}`;
  await assertRejects(() => test.store.sync());
  assertEquals(test.take().slice(-2).sort(), [`sync ${TWO}`, `syncFile ${ONE}`]);
  test.failing = "";

  await test.store.sync();

  assertEquals(test.take(), [`syncFile ${ONE}`]);
});

Deno.test("FileSegments.sync() does not miss the segments that come while it syncs names", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));

  const first = test.store.sync();
  test.store.append(2, Uint8Array.of(1));
  await first;
  test.take();
  await test.store.sync();

  // Its name was new when the names were being synced already.
  assertEquals(test.take().includes("syncFolder t.topic"), true);
});

Deno.test("FileSegments.sync() fails, once, when the file has gone that is written to; the next one is made anew", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.store.append(1, Uint8Array.of(2));
  Deno.removeSync(`${test.path}/${ONE}`);

  await assertRejects(() => test.store.sync(), Deno.errors.NotFound);
  await test.store.sync();
  test.store.append(2, Uint8Array.of(3));
  await test.store.sync();

  assertEquals([test.files(), [...test.store.readSync(2)]], [[TWO], [3]]);
});

Deno.test("FileSegments.sync() fails, once, when the folder has gone, which is made anew with the next write", async () => {
  for (const isSynced of [true, false]) {
    using test = new Folder();
    test.store.append(1, Uint8Array.of(1));
    if (isSynced) {
      await test.store.sync();
      test.store.append(1, Uint8Array.of(2));
    }
    Deno.removeSync(test.path, { recursive: true });

    await assertRejects(() => test.store.sync(), Deno.errors.NotFound);
    await test.store.sync();
    test.store.append(2, Uint8Array.of(3));
    test.take();
    await test.store.sync();

    assertEquals([test.files(), [...test.store.readSync(2)]], [[TWO], [3]]);
    assertEquals(test.take(), ["syncFolder .", "syncFolder t.topic", `sync ${TWO}`]);
  }
});

Deno.test("FileSegments.append() refuses to go on with a file that has gone: nothing could be found in it", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1, 2, 3));
  await test.store.sync();
  // Twice: the first time it may be busy.
  test.store.rest();
  test.store.rest();
  Deno.removeSync(`${test.path}/${ONE}`);

  for (let i = 0; i < 2; i++) {
    assertThrows(() => test.store.append(1, Uint8Array.of(4)), Deno.errors.NotFound, "File is gone");
    assertThrows(() => test.store.truncate(1, 3), Deno.errors.NotFound, "File is gone");
  }

  assertEquals(test.files(), []);
  test.store.append(2, Uint8Array.of(5));
  assertEquals(test.files(), [TWO]);
});

Deno.test("FileSegments.append() refuses to go on when the folder has gone, and begins in a new one", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.sync();
  test.store.rest();
  test.store.rest();
  Deno.removeSync(test.path, { recursive: true });

  assertThrows(() => test.store.append(1, Uint8Array.of(2)), Deno.errors.NotFound);
  assertThrows(() => test.store.append(1, Uint8Array.of(2)), Deno.errors.NotFound);
  test.store.append(2, Uint8Array.of(3));
  await test.store.sync();

  assertEquals([test.files(), [...test.store.readSync(2)]], [[TWO], [3]]);
});

Deno.test("FileSegments.writeState() makes the folder again that has gone, at the second attempt at the latest", async () => {
  using test = new Folder();
  await test.store.writeState(pieces("old"));
  Deno.removeSync(test.path, { recursive: true });

  await assertRejects(() => test.store.writeState(pieces("lost")), Deno.errors.NotFound);
  await test.store.writeState(pieces("new"));

  assertEquals([test.files(), test.store.readState()], [["state"], new TextEncoder().encode("new")]);
});

Deno.test("FileSegments.sync() syncs the other files when somebody has removed one: that is gone, and they are not", async () => {
  using test = new Folder();
  for (const base of [1, 2, 3]) test.store.append(base, Uint8Array.of(base));
  Deno.removeSync(`${test.path}/${TWO}`);
  test.take();

  await assertRejects(() => test.store.sync(), Deno.errors.NotFound);
  assertEquals(test.take().slice(2).sort(), [`sync ${THREE}`, `syncFile ${ONE}`, `syncFile ${TWO}`]);
  await test.store.sync();
  await test.store.remove(2);

  await assertRejects(() => test.store.read(2), Deno.errors.NotFound);
  assertEquals(test.open().list().map(({ base }) => base), [1, 3]);
});

Deno.test("FileSegments.list() names a segment that it cannot look into as one that was not closed", () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  Deno.mkdirSync(`${test.path}/${TWO}`);

  assertEquals(test.open().list(), [
    { base: 1, size: 1, closing: undefined },
    { base: 2, size: 0, closing: undefined },
  ]);
});

Deno.test("FileSegments.keepDamage() keeps the bytes in a file that is named after where they were", () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1, 2, 3, 4));

  test.store.keepDamage(1, 2, Uint8Array.of(3, 4));

  assertEquals(test.files(), ["00000000000001.2.bad", ONE]);
  assertEquals([...Deno.readFileSync(`${test.path}/00000000000001.2.bad`)], [3, 4]);
});

Deno.test("FileSegments.setStateAside() keeps the state under a name of its own", async () => {
  using test = new Folder();
  await test.store.writeState(pieces(Uint8Array.of(1, 2)));

  test.store.setStateAside();

  assertEquals([test.files(), [...Deno.readFileSync(`${test.path}/state.bad`)]], [["state.bad"], [1, 2]]);
});

Deno.test("FileSegments.destroy() removes the folder with all that is in it", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));
  await test.store.writeState(pieces(Uint8Array.of(1)));
  test.store.keepDamage(1, 0, Uint8Array.of(1));
  Deno.writeTextFileSync(`${test.path}/notes`, "");

  await test.store.destroy();

  assertEquals([...Deno.readDirSync(test.dataPath)], []);
});

Deno.test("FileSegments.destroy() while a state is written leaves no error and no file behind", async () => {
  using test = new Folder();
  test.store.append(1, Uint8Array.of(1));

  const written = test.store.writeState(pieces(Uint8Array.of(1)));
  const synced = test.store.sync();
  await Promise.all([test.store.destroy(), written, synced]);

  assertEquals([...Deno.readDirSync(test.dataPath)], []);
});

Deno.test("FileSegments takes bytes while it syncs, and each sync has those that came before it", async () => {
  using test = new Folder();
  const syncs: Promise<void>[] = [];

  for (let i = 0; i < 200; i++) {
    test.store.append(1 + Math.floor(i / 50), Uint8Array.of(i));
    if (i % 20 === 0) syncs.push(test.store.sync());
  }
  await Promise.all(syncs);
  await test.store.sync();

  const bytes = [1, 2, 3, 4].flatMap((base) => [...test.store.readSync(base)]);
  assertEquals(bytes, Array.from({ length: 200 }, (_, i) => i));
});

/** A data path with one topic's store, on the machine's files, whose calls that matter are written down. */
class Folder implements Disposable {
  readonly dataPath = Deno.makeTempDirSync();
  readonly path = `${this.dataPath}/t.topic`;
  readonly store: FileSegments;
  /** The call that fails. */
  failing = "";
  readonly #calls: string[] = [];

  constructor() {
    this.store = this.open();
  }

  open(): FileSegments {
    return new FileSegments({ dataPath: this.dataPath, name: "t.topic", files: this.#recorded() });
  }

  /** The calls since the last time. */
  take(): string[] {
    return this.#calls.splice(0);
  }

  files(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    this.failing = "";
    // A file may be open still.
    this.store.close();
    Deno.removeSync(this.dataPath, { recursive: true });
  }

  #recorded(): FileSystem {
    const note = (call: string, ...paths: readonly string[]) => {
      const names = paths.map((path) => path === this.dataPath ? "." : path.slice(path.lastIndexOf("/") + 1));
      // Temporary files have names of their own.
      const text = [call, ...names].join(" ").replace(/\.\d+\.tmp/, ".tmp");
      this.#calls.push(text);
      if (text === this.failing) throw new Error("input/output error");
    };
    return {
      ...DENO_FILES,
      openAppend(path) {
        const file = DENO_FILES.openAppend(path);
        return {
          get size() {
            return file.size;
          },
          append: (bytes) => file.append(bytes),
          truncate: (size) => file.truncate(size),
          async sync() {
            note("sync", path);
            await file.sync();
          },
          close: () => file.close(),
        };
      },
      write(path, bytes) {
        note("write", path);
        DENO_FILES.write(path, bytes);
      },
      rename(from, to) {
        note("rename", from, to);
        DENO_FILES.rename(from, to);
      },
      remove(path) {
        note("remove", path);
        DENO_FILES.remove(path);
      },
      async syncFile(path) {
        note("syncFile", path);
        await DENO_FILES.syncFile(path);
      },
      async syncFolder(path) {
        note("syncFolder", path);
        await DENO_FILES.syncFolder(path);
      },
    };
  }
}
