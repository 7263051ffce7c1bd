import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DENO_FILES, removeIfThere, replaceFile, replaceFileSync } from "../../src/storage/file_system.ts";

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
  await assertRejects(() => DENO_FILES.read(path), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.syncFile(path), Deno.errors.NotFound);
  await assertRejects(() => DENO_FILES.syncFolder(path), Deno.errors.NotFound);
});

Deno.test("DENO_FILES syncs files and folders", async () => {
  using test = new Folder();
  DENO_FILES.write(test.path("file"), Uint8Array.of(1));

  await DENO_FILES.syncFile(test.path("file"));
  await DENO_FILES.syncFolder(test.folder);
  DENO_FILES.syncSync(test.path("file"));
  DENO_FILES.syncSync(test.folder);

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

Deno.test("replaceFileSync() syncs the bytes before they get their name, and that afterwards", () => {
  using test = new Folder();
  const calls: string[] = [];
  const files = {
    ...DENO_FILES,
    syncSync: (path: string) => void calls.push(`sync ${test.nameOf(path)}`),
    rename: (from: string, to: string) => void calls.push(`rename ${test.nameOf(from)} ${test.nameOf(to)}`),
  };

  replaceFileSync(files, test.path("file"), Uint8Array.of(1));

  assertEquals(calls, ["sync file.tmp", "rename file.tmp file", "sync ."]);
});

Deno.test("replaceFileSync() that fails leaves the file that was, and no other", () => {
  using test = new Folder();
  const path = test.path("file");
  replaceFileSync(DENO_FILES, path, Uint8Array.of(1));
  const files = {
    ...DENO_FILES,
    rename: () => {
      throw new Error("input/output error");
    },
  };

  assertThrows(() => replaceFileSync(files, path, Uint8Array.of(2)), Error, "input/output error");

  assertEquals([[...Deno.readFileSync(path)], test.names()], [[1], ["file"]]);
});

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
