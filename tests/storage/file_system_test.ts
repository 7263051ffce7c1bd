import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DENO_FILES, type FileSystem, removeIfThere, replaceFile } from "../../src/storage/file_system.ts";
import { pieces } from "../support/pieces.ts";

Deno.test("DENO_FILES.openAppend() makes a file for its owner only, and goes on at the end of one", () => {
  using test = new Folder();
  const path = test.path("file");

  const first = DENO_FILES.openAppend(path);
  assertEquals(first.size, 0);
  first.append(Uint8Array.of(1, 2));
  first.append(Uint8Array.of(3));
  assertEquals(first.size, 3);
  first.close();
  const second = DENO_FILES.openAppend(path);
  assertEquals(second.size, 3);
  second.append(Uint8Array.of(4));
  second.close();

  assertEquals([...Deno.readFileSync(path)], [1, 2, 3, 4]);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

Deno.test("DENO_FILES.openAppend() adds behind what was cut off", () => {
  using test = new Folder();
  const file = DENO_FILES.openAppend(test.path("file"));
  file.append(Uint8Array.of(1, 2, 3));

  file.truncate(1);
  assertEquals(file.size, 1);
  file.append(Uint8Array.of(9));
  file.close();

  assertEquals([...Deno.readFileSync(test.path("file"))], [1, 9]);
});

Deno.test("DENO_FILES.openAppend() takes bytes while it syncs, and may be closed meanwhile", async () => {
  using test = new Folder();
  const file = DENO_FILES.openAppend(test.path("file"));
  file.append(new Uint8Array(100_000));

  const syncs = [file.sync(), file.sync()];
  file.append(Uint8Array.of(1));
  file.close();
  await Promise.all(syncs);

  assertEquals(Deno.statSync(test.path("file")).size, 100_001);
});

Deno.test("DENO_FILES.openAppend() writes on when the system takes only a part at a time", () => {
  using test = new Folder();
  const file = DENO_FILES.openAppend(test.path("file"));
  const { writeSync } = Deno.FsFile.prototype;
  try {
    Deno.FsFile.prototype.writeSync = function (bytes) {
      return writeSync.call(this, bytes.subarray(0, 7));
    };
    file.append(Uint8Array.from({ length: 50 }, (_, i) => i));
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
    file.close();
  }

  assertEquals([...Deno.readFileSync(test.path("file"))], Array.from({ length: 50 }, (_, i) => i));
});

Deno.test("DENO_FILES.readEnd() reads the last bytes, or all of a shorter file", () => {
  using test = new Folder();
  DENO_FILES.write(test.path("file"), Uint8Array.of(1, 2, 3, 4));
  DENO_FILES.write(test.path("empty"), new Uint8Array());

  const endOf = (name: string, length: number) => {
    const { size, end } = DENO_FILES.readEnd(test.path(name), length);
    return [size, [...end]];
  };

  assertEquals(endOf("file", 3), [4, [2, 3, 4]]);
  assertEquals(endOf("file", 4), [4, [1, 2, 3, 4]]);
  assertEquals(endOf("file", 5), [4, [1, 2, 3, 4]]);
  assertEquals(endOf("empty", 5), [0, []]);
});

Deno.test("DENO_FILES.readPart() and readPartSync() read bytes from the middle, as many as there are", async () => {
  using test = new Folder();
  const path = test.path("file");
  DENO_FILES.write(path, Uint8Array.of(1, 2, 3, 4));

  const parts = [[1, 2], [2, 2], [2, 9], [4, 1], [9, 1], [1, 0]].map(([offset, length]) => ({
    offset,
    length,
  }));
  const read = await Promise.all(parts.map((part) => DENO_FILES.readPart(path, part)));
  const readSync = parts.map((part) => DENO_FILES.readPartSync(path, part));

  const expected = [[2, 3], [3, 4], [3, 4], [], [], []];
  for (const found of [read, readSync]) {
    assertEquals(found.map(({ size, bytes }) => [size, [...bytes]]), expected.map((bytes) => [4, bytes]));
  }
});

Deno.test("DENO_FILES.readPart() ends at the end of a file that becomes shorter meanwhile", async () => {
  using test = new Folder();
  const path = test.path("file");
  DENO_FILES.write(path, new Uint8Array(10).fill(7));
  const { statSync } = Deno.FsFile.prototype;
  let read: Uint8Array;
  try {
    Deno.FsFile.prototype.statSync = function () {
      const info = statSync.call(this);
      Deno.truncateSync(path, 4);
      return info;
    };
    read = (await DENO_FILES.readPart(path, { offset: 2, length: 8 })).bytes;
  } finally {
    Deno.FsFile.prototype.statSync = statSync;
  }

  assertEquals([...read], [7, 7, 0, 0, 0, 0, 0, 0]);
});

Deno.test("DENO_FILES.removeTree() and unlink() remove what they are told to", async () => {
  using test = new Folder();
  DENO_FILES.makeFolder(test.path("a"));
  DENO_FILES.makeFolder(test.path("a/b"));
  for (const name of ["a/1", "a/b/2", "3", "4"]) DENO_FILES.write(test.path(name), new Uint8Array());

  await Promise.all([DENO_FILES.removeTree(test.path("a")), DENO_FILES.unlink(test.path("3"))]);

  assertEquals(test.names(), ["4"]);
});

Deno.test("DENO_FILES.openAppend() does not sync a file that somebody has removed", async () => {
  using test = new Folder();
  const path = test.path("file");
  const file = DENO_FILES.openAppend(path);
  file.append(Uint8Array.of(1));
  await file.sync();
  file.append(Uint8Array.of(2));
  Deno.removeSync(path);

  await assertRejects(() => file.sync(), Deno.errors.NotFound, `File is gone: sync '${path}'`);

  file.close();
});

Deno.test("DENO_FILES.makeFolder() says whether it made one, and makes none in what is not there", () => {
  using test = new Folder();

  assertEquals([DENO_FILES.makeFolder(test.path("a")), DENO_FILES.makeFolder(test.path("a"))], [true, false]);
  assertThrows(() => DENO_FILES.makeFolder(test.path("b/c")), Deno.errors.NotFound);
  assertEquals(DENO_FILES.list(test.folder), [{ name: "a", isFolder: true }]);
});

Deno.test("DENO_FILES says NotFound of what is not there", async () => {
  using test = new Folder();
  const path = test.path("nothing");

  assertThrows(() => DENO_FILES.list(path), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.readSync(path), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.readEnd(path, 1), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.remove(path), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.removeFolder(path), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.rename(path, test.path("other")), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.openAppend(`${path}/file`), Deno.errors.NotFound);
  assertThrows(() => DENO_FILES.readPartSync(path, { offset: 0, length: 1 }), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.read(path), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.readPart(path, { offset: 0, length: 1 }), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.unlink(path), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.removeTree(path), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.syncFile(path), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.syncFolder(path), Deno.errors.NotFound);
});

Deno.test("DENO_FILES syncs files and folders", async () => {
  using test = new Folder();
  DENO_FILES.write(test.path("file"), Uint8Array.of(1));

  await DENO_FILES.syncFile(test.path("file"));
  await DENO_FILES.syncFolder(test.folder);

  assertEquals([...DENO_FILES.readSync(test.path("file"))], [1]);
});

Deno.test("replaceFile() puts bytes in the place of a file, or where none was", async () => {
  using test = new Folder();
  const path = test.path("file");

  assertEquals(await replaceFile(DENO_FILES, path, Uint8Array.of(1, 2, 3)), true);
  assertEquals(await replaceFile(DENO_FILES, path, Uint8Array.of(4)), true);

  assertEquals([[...Deno.readFileSync(path)], test.names()], [[4], ["file"]]);
});

Deno.test("replaceFile() asks in the last moment whether it is wanted", async () => {
  using test = new Folder();
  const path = test.path("file");
  DENO_FILES.write(path, Uint8Array.of(1));
  let wanted = true;

  const replaced = replaceFile(DENO_FILES, path, Uint8Array.of(2), () => wanted);
  wanted = false;

  assertEquals([await replaced, [...Deno.readFileSync(path)], test.names()], [false, [1], ["file"]]);
});

Deno.test("replaceFile() that fails leaves the file that was, and no other", async () => {
  using test = new Folder();
  const path = test.path("file");
  DENO_FILES.write(path, Uint8Array.of(1));
  const files = {
    ...DENO_FILES,
    rename: () => {
      throw new Error("input/output error");
    },
  };

  await assertRejects(() => replaceFile(files, path, Uint8Array.of(2)), Error, "input/output error");

  assertEquals([[...Deno.readFileSync(path)], test.names()], [[1], ["file"]]);
});

Deno.test("replaceFile() syncs the bytes before they get their name, and that afterwards", async () => {
  using test = new Folder();
  const calls: string[] = [];
  const note = (call: string, ...paths: string[]) => {
    calls.push([call, ...paths.map((path) => test.nameOf(path).replace(/\.\d+\./, "."))].join(" "));
  };
  const files: FileSystem = {
    ...DENO_FILES,
    rename(from, to) {
      note("rename", from, to);
      DENO_FILES.rename(from, to);
    },
    syncFile(path) {
      note("sync", path);
      return DENO_FILES.syncFile(path);
    },
    syncFolder(path) {
      note("sync", path);
      return DENO_FILES.syncFolder(path);
    },
  };

  await replaceFile(files, test.path("file"), Uint8Array.of(1));

  assertEquals(calls, ["sync file.tmp", "rename file.tmp file", "sync ."]);
});

Deno.test("replaceFile() puts pieces together, an empty one and none at all too", async () => {
  using test = new Folder();
  const path = test.path("file");
  const texts: string[] = [];

  for (const parts of [["one", "", " two"], ["", "x"], [""], []]) {
    await replaceFile(DENO_FILES, path, pieces(...parts));
    texts.push(Deno.readTextFileSync(path));
  }

  assertEquals([texts, test.names()], [["one two", "x", "", ""], ["file"]]);
});

Deno.test("replaceFile() leaves the file that was, and no other, when a piece cannot be had", async () => {
  using test = new Folder();
  const path = test.path("file");
  DENO_FILES.write(path, Uint8Array.of(1));
  async function* failing() {
    yield* pieces("one", "two");
    throw new Error("no more");
  }

  await assertRejects(() => replaceFile(DENO_FILES, path, failing()), Error, "no more");

  assertEquals([[...Deno.readFileSync(path)], test.names()], [[1], ["file"]]);
});

for (const failing of ["write", "syncFile", "rename", "syncFolder"] as const) {
  Deno.test(`replaceFile() says the same whenever ${failing}() fails: a log says it once`, async () => {
    using test = new Folder();
    const path = test.path("file");
    const fails = (of: string) => {
      throw new Error(`Read-only file system (os error 30): ${failing} '${of}'`);
    };
    const files = { ...DENO_FILES, [failing]: fails };
    const attempt = async () => {
      const error = await assertRejects(() => replaceFile(files, path, Uint8Array.of(2)), Error);
      return error.message;
    };

    const texts = [await attempt(), await attempt(), await attempt()];

    const of = failing === "syncFolder" ? test.folder : path;
    assertEquals(texts, Array(3).fill(`Read-only file system (os error 30): ${failing} '${of}'`));
  });
}

Deno.test("removeIfThere() removes a file, and hides no other error than that there is none", () => {
  using test = new Folder();
  DENO_FILES.write(test.path("file"), new Uint8Array());
  DENO_FILES.makeFolder(test.path("folder"));
  DENO_FILES.write(test.path("folder/file"), new Uint8Array());

  removeIfThere(DENO_FILES, test.path("file"));
  removeIfThere(DENO_FILES, test.path("file"));

  assertThrows(() => removeIfThere(DENO_FILES, test.path("folder")));
  assertEquals(test.names(), ["folder"]);
});

/** A temporary folder. */
class Folder implements Disposable {
  readonly folder = Deno.makeTempDirSync();

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  nameOf(path: string): string {
    return path === this.folder ? "." : path.slice(path.lastIndexOf("/") + 1);
  }

  names(): string[] {
    return DENO_FILES.list(this.folder).map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}
