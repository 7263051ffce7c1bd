import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import { FileSegments } from "../../src/storage/file_segments.ts";
import { FileStores } from "../../src/storage/file_stores.ts";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { segmentStoreTest } from "../contract/segment_store.ts";
import { pieces } from "../support/pieces.ts";

const BASE = 1_387_738_195_312_640;
/** `BASE` in 14 hexadecimal digits. */
const FILE = "04ee23fa2c4000.seg";

segmentStoreTest("FileSegments", () => {
  const path = Deno.makeTempDirSync();
  return {
    reopen: () => new FileStores(path),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
});

Deno.test("FileSegments names files after positions, and lets nobody else read them", async () => {
  await using test = folder();

  test.store.append(BASE, Uint8Array.of(1));
  await test.store.writeState(pieces("state"));
  test.store.close();

  assertEquals(test.files(), [FILE, "state"]);
  const mode = (name: string) => (Deno.statSync(`${test.path}/${name}`).mode ?? 0) & 0o777;
  assertEquals([mode(FILE), mode("state"), mode(".")], [0o600, 0o600, 0o700]);
});

Deno.test("FileSegments makes no folder before there is something in it, and removes it when there is not", async () => {
  await using test = folder();

  assertEquals(test.store.list(), []);
  assertEquals(test.exists(), false);
  test.store.append(BASE, Uint8Array.of(1));
  assertEquals(test.exists(), true);
  await test.store.remove(BASE);
  test.store.close();

  assertEquals(test.exists(), false);
});

Deno.test("FileSegments.close() keeps the folder when somebody has put a file there", async () => {
  await using test = folder();
  test.store.append(BASE, Uint8Array.of(1));
  Deno.writeTextFileSync(`${test.path}/notes`, "");
  await test.store.remove(BASE);

  test.store.close();

  assertEquals(test.files(), ["notes"]);
});

Deno.test("FileSegments.list() ignores files of others, and leaves them", async () => {
  await using test = folder();
  test.store.append(BASE, Uint8Array.of(1));
  const others = [
    "0.seg",
    "0000000000000g.seg",
    "00000000000001.seg.bad",
    "000000000000001.seg",
    "notes",
    "x.dat",
  ];
  for (const name of others) Deno.writeTextFileSync(`${test.path}/${name}`, "x");

  assertEquals(test.store.list().map(({ base }) => base), [BASE]);

  assertEquals(test.files(), [...others, FILE].sort());
});

Deno.test("FileSegments.list() removes what a write that was interrupted has left", async () => {
  await using test = folder();
  test.store.append(BASE, Uint8Array.of(1));
  for (const name of [`${FILE}.tmp`, "state.tmp"]) Deno.writeTextFileSync(`${test.path}/${name}`, "x");

  assertEquals(test.store.list().length, 1);

  assertEquals(test.files(), [FILE]);
});

Deno.test("FileSegments.list() counts a file without bytes as one that was not closed", async () => {
  await using test = folder();
  Deno.mkdirSync(test.path);
  Deno.writeTextFileSync(`${test.path}/${FILE}`, "");

  assertEquals(test.store.list(), [{ base: BASE, size: 0, closing: undefined }]);
});

Deno.test("FileSegments.append() takes a write back that failed half-way", async () => {
  await using test = folder();
  test.store.append(BASE, Uint8Array.of(1, 2, 3));

  withFullDisk(() => {
    assertThrows(() => test.store.append(BASE, new Uint8Array(100)), Error, "No space left on device");
  });
  assertEquals([...test.store.readSync(BASE)], [1, 2, 3]);
  test.store.append(BASE, Uint8Array.of(4));

  assertEquals([...test.store.readSync(BASE)], [1, 2, 3, 4]);
});

Deno.test("FileSegments.append() writes on when the system takes only a part at a time", async () => {
  await using test = folder();
  const { writeSync } = Deno.FsFile.prototype;
  try {
    Deno.FsFile.prototype.writeSync = function (bytes) {
      return writeSync.call(this, bytes.subarray(0, 7));
    };
    test.store.append(BASE, Uint8Array.from({ length: 50 }, (_, i) => i));
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
  }

  assertEquals([...test.store.readSync(BASE)], Array.from({ length: 50 }, (_, i) => i));
});

Deno.test("FileSegments.append() does not make a data path that is gone", async () => {
  await using test = folder();
  Deno.removeSync(test.dataPath);

  assertThrows(() => test.store.append(BASE, Uint8Array.of(1)), Deno.errors.NotFound);
  Deno.mkdirSync(test.dataPath);
  test.store.append(BASE, Uint8Array.of(1));

  assertEquals(test.files(), [FILE]);
});

Deno.test("FileSegments.replace() leaves the old image, and nothing else, when it fails", async () => {
  await using test = folder();
  test.store.append(BASE, Uint8Array.of(1, 2, 3));
  const fail = () => {
    throw new Error("no");
  };

  await assertRejects(() => test.store.replace(BASE, Uint8Array.of(9), fail));

  assertEquals([[...test.store.readSync(BASE)], test.files()], [[1, 2, 3], [FILE]]);
});

Deno.test("FileSegments.setAside() keeps the file under a name of its own", async () => {
  await using test = folder();
  test.store.append(BASE, Uint8Array.of(1, 2));

  test.store.setAside(BASE);

  assertEquals(test.files(), [`${FILE}.bad`]);
  assertEquals([...Deno.readFileSync(`${test.path}/${FILE}.bad`)], [1, 2]);
});

Deno.test("FileSegments.sync() syncs every file that was written to, once", async () => {
  await using test = folder();
  const { syncData } = Deno.FsFile.prototype;
  let synced = 0;
  try {
    Deno.FsFile.prototype.syncData = function () {
      synced++;
      return syncData.call(this);
    };
    test.store.append(1, Uint8Array.of(1));
    test.store.append(2, Uint8Array.of(2));
    await test.store.replace(3, Uint8Array.of(3), () => true);
    test.store.append(4, Uint8Array.of(4));
    await test.store.remove(4);
    await test.store.sync();
    await test.store.sync();
  } finally {
    Deno.FsFile.prototype.syncData = syncData;
  }

  assertEquals(synced, 3);
});

interface Folder extends AsyncDisposable {
  readonly dataPath: string;
  readonly path: string;
  readonly store: SegmentStore;
  files(): string[];
  exists(): boolean;
}

function folder(): Folder {
  const dataPath = Deno.makeTempDirSync();
  const path = `${dataPath}/t.topic`;
  const store = new FileSegments({ dataPath, name: "t.topic", files: DENO_FILES });
  const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  return {
    dataPath,
    path,
    store,
    files: () => names(path),
    exists: () => names(dataPath).includes("t.topic"),
    async [Symbol.asyncDispose]() {
      // A file may be open still.
      await store.destroy();
      await Deno.remove(dataPath, { recursive: true });
    },
  };
}

/** While it runs, a write takes half of its bytes, and the next one none. */
function withFullDisk(run: () => void): void {
  const { writeSync } = Deno.FsFile.prototype;
  let full = false;
  try {
    Deno.FsFile.prototype.writeSync = function (bytes) {
      if (full) throw new Error("No space left on device (os error 28)");
      full = true;
      return writeSync.call(this, bytes.subarray(0, bytes.length >> 1));
    };
    run();
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
  }
}
