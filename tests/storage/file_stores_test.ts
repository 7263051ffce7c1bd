/**
 * The topics' folders in a data path: what they are called, how many of their files are open, and how they go.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { FileSegments } from "../../src/storage/file_segments.ts";
import { FileStores, topicFolder } from "../../src/storage/file_stores.ts";
import { OPEN_FILES_MAX } from "../../src/storage/open_files.ts";
import { DENO_FILES, type FileSystem } from "../../src/storage/file_system.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";
import { pieces } from "../support/pieces.ts";

const ONE = "00000000000001.seg";

Deno.test("FileStores.names() names folders of topics, and nothing else", async () => {
  await withDataPath((dataPath) => {
    for (const name of ["b.topic", "a.b-c_d.topic", "topic", "x.topic.0.deleted"]) {
      Deno.mkdirSync(`${dataPath}/${name}`);
    }
    Deno.writeTextFileSync(`${dataPath}/file.topic`, "");
    Deno.writeTextFileSync(`${dataPath}/nsqd.dat`, "{}");

    assertEquals(new FileStores(dataPath).names(), ["a.b-c_d", "b"]);
    return Promise.resolve();
  });
});

// Names

/** Topics, and their folders: these differ in more than case. */
const FOLDERS: readonly (readonly [topic: string, folder: string])[] = [
  ["orders", "orders.topic"],
  ["Orders", "+orders.topic"],
  ["ORDERS", "+o+r+d+e+r+s.topic"],
  ["a.B-c_D.0", "a.+b-c_+d.0.topic"],
];

for (const [topic, folder] of FOLDERS) {
  Deno.test(`FileStores.open() keeps topic ${topic} in ${folder}, where names() finds it`, async () => {
    await withDataPath((dataPath) => {
      write(new FileStores(dataPath), topic, 1);

      assertEquals(namesIn(dataPath), [folder]);
      assertEquals(new FileStores(dataPath).names(), [topic]);
      assertEquals(topicFolder(topic), folder);
      return Promise.resolve();
    });
  });
}

Deno.test("FileStores.open() opens a folder that has its topic's plain name, whether names() was called or not", async () => {
  for (const isAsked of [true, false]) {
    await withDataPath((dataPath) => {
      write(new PlainStores(dataPath), "Orders", 7);
      const stores = new FileStores(dataPath);

      if (isAsked) assertEquals(stores.names(), ["Orders"]);
      const store = stores.open("Orders");
      store.append(8, Uint8Array.of(8));
      store.close();

      assertEquals(store.list().map(({ base }) => base), [7, 8]);
      assertEquals(namesIn(dataPath), ["Orders.topic"]);
      return Promise.resolve();
    });
  }
});

Deno.test("FileStores.open() takes a plain folder for no topic whose name differs in case", async () => {
  await withDataPath((dataPath) => {
    write(new PlainStores(dataPath), "Orders", 7);
    const stores = new FileStores(dataPath);

    for (const topic of ["ORDERS", "orders"]) assertEquals(stores.open(topic).list(), []);
    return Promise.resolve();
  });
});

Deno.test("FileStores.open() keeps a topic in the usual folder after the one of its plain name was deleted", async () => {
  await withDataPath(async (dataPath) => {
    write(new PlainStores(dataPath), "Orders", 7);
    const stores = new FileStores(dataPath);
    await stores.open("Orders").destroy();

    write(stores, "Orders", 8);

    assertEquals(namesIn(dataPath), ["+orders.topic"]);
  });
});

Deno.test("FileStores.open() prefers the usual folder to one of the plain name: only an import makes it then", async () => {
  await withDataPath((dataPath) => {
    Deno.mkdirSync(`${dataPath}/Orders.topic`);
    Deno.mkdirSync(`${dataPath}/+orders.topic`);
    const stores = new FileStores(dataPath);

    write(stores, "Orders", 8);

    assertEquals(stores.names(), ["Orders"]);
    assertEquals(namesIn(`${dataPath}/+orders.topic`), ["00000000000008.seg"]);
    return Promise.resolve();
  });
});

// Open files

Deno.test("FileStores keeps no more than so many files open, whatever is written", async () => {
  await withDataPath((dataPath) => {
    const files = new CountedFiles();
    const stores = new FileStores(dataPath, files.files);
    const opened = Array.from({ length: OPEN_FILES_MAX + 1 }, (_, i) => stores.open(`t${i}`));
    const counts: number[] = [];

    for (const [i, store] of opened.entries()) {
      store.append(1, Uint8Array.of(i));
      if (i >= OPEN_FILES_MAX - 2) counts.push(files.open);
    }
    // The first has been closed, and is opened again; so is the next.
    for (const store of opened) store.append(1, Uint8Array.of(1));

    assertEquals(counts, [127, 128, 128]);
    assertEquals(files.openMax, 128);
    const bytes = opened.map((store) => [...store.readSync(1)]);
    assertEquals(bytes, opened.map((_, i) => [i, 1]));
    for (const store of opened) store.close();
    assertEquals(files.open, 0);
    return Promise.resolve();
  });
});

Deno.test("FileStores syncs what was written to files that are not open any more", async () => {
  await withDataPath(async (dataPath) => {
    const files = new CountedFiles();
    const stores = new FileStores(dataPath, files.files);
    const opened = Array.from({ length: OPEN_FILES_MAX + 1 }, (_, i) => stores.open(`t${i}`));
    for (const store of opened) store.append(1, Uint8Array.of(1));

    for (const store of opened) await store.sync();

    assertEquals(files.synced.size, OPEN_FILES_MAX + 1);
    for (const store of opened) store.close();
  });
});

Deno.test("FileSegments.rest() closes a file that was not written to since the last time", async () => {
  await withDataPath((dataPath) => {
    const files = new CountedFiles();
    const store = new FileStores(dataPath, files.files).open("t");
    const afterRest = () => {
      store.rest();
      return files.open;
    };

    store.append(1, Uint8Array.of(1));
    const busy = [afterRest(), store.append(1, Uint8Array.of(2)), afterRest()];
    const idle = [afterRest(), afterRest()];
    store.append(1, Uint8Array.of(3));

    assertEquals([busy, idle], [[1, undefined, 1], [0, 0]]);
    assertEquals([...store.readSync(1)], [1, 2, 3]);
    store.close();
    return Promise.resolve();
  });
});

// Deletion

Deno.test("FileSegments.destroy() gives the topic's name back at once, and removes its files later", async () => {
  await withDataPath(async (dataPath) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const files: FileSystem = {
      ...DENO_FILES,
      async removeTree(path) {
        await promise;
        await DENO_FILES.removeTree(path);
      },
    };
    const store = new FileStores(dataPath, files).open("t");
    store.append(1, Uint8Array.of(1));
    await store.writeState(pieces("state"));

    const destroyed = store.destroy();
    const during = namesIn(dataPath);
    const seen = new FileStores(dataPath).names();
    resolve();
    await destroyed;

    assertEquals([during, seen, namesIn(dataPath)], [["t.topic.0.deleted"], [], []]);
  });
});

Deno.test("FileSegments.destroy() gives another name to each folder, also to those that a killed program has left", async () => {
  await withDataPath(async (dataPath) => {
    for (const number of [0, 2]) {
      Deno.mkdirSync(`${dataPath}/t.topic.${number}.deleted`);
      Deno.writeTextFileSync(`${dataPath}/t.topic.${number}.deleted/${ONE}`, "left");
    }
    const kept: FileSystem = { ...DENO_FILES, removeTree: () => Promise.reject(new Error("not now")) };
    const stores = new FileStores(dataPath, kept);

    for (let i = 0; i < 2; i++) {
      write(stores, "t", 1);
      await assertRejects(() => stores.open("t").destroy(), Error, "not now");
    }

    assertEquals(namesIn(dataPath), [0, 1, 2, 3].map((number) => `t.topic.${number}.deleted`));
    assertEquals(stores.names(), []);
  });
});

Deno.test("FileSegments.destroy() makes the new name survive a loss of power before it removes a file", async () => {
  await withDataPath(async (dataPath) => {
    const calls: string[] = [];
    const note = (call: string, path: string) => calls.push(`${call} ${path.slice(dataPath.length)}`);
    const files: FileSystem = {
      ...DENO_FILES,
      rename(from, to) {
        note("rename", from);
        DENO_FILES.rename(from, to);
      },
      syncFolder(path) {
        note("syncFolder", path);
        return DENO_FILES.syncFolder(path);
      },
      removeTree(path) {
        note("removeTree", path);
        return DENO_FILES.removeTree(path);
      },
    };
    const store = new FileStores(dataPath, files).open("t");
    store.append(1, Uint8Array.of(1));

    await store.destroy();

    assertEquals(calls, ["rename /t.topic", "syncFolder ", "removeTree /t.topic.0.deleted"]);
  });
});

Deno.test("FileStores.removeDeleted() removes what a killed program has left of deleted topics, and nothing else", async () => {
  await withDataPath(async (dataPath) => {
    const others = ["a.topic", "a.deleted", "a.topic.deleted", "a.topic.x.deleted", "nsqd.dat.0.deleted"];
    for (const name of [...others, "a.topic.0.deleted", "+a.topic.17.deleted"]) {
      Deno.mkdirSync(`${dataPath}/${name}`);
      Deno.writeTextFileSync(`${dataPath}/${name}/${ONE}`, "left");
    }

    await new FileStores(dataPath).removeDeleted();

    assertEquals(namesIn(dataPath), others.toSorted());
  });
});

Deno.test("FileStores.removeDeleted() tries all, and then says what it could not remove", async () => {
  await withDataPath(async (dataPath) => {
    for (const topic of ["a", "b", "c"]) Deno.mkdirSync(`${dataPath}/${topic}.topic.0.deleted`);
    const removed: string[] = [];
    const files: FileSystem = {
      ...DENO_FILES,
      removeTree(path) {
        removed.push(path.slice(dataPath.length + 1));
        // One is gone already, one cannot go.
        if (path.includes("a.topic")) return Promise.reject(new Deno.errors.NotFound("gone"));
        if (path.includes("b.topic")) return Promise.reject(new Error("Read-only file system"));
        return DENO_FILES.removeTree(path);
      },
    };

    await assertRejects(
      () => new FileStores(dataPath, files).removeDeleted(),
      Error,
      "Read-only file system",
    );

    assertEquals(removed.sort(), ["a.topic.0.deleted", "b.topic.0.deleted", "c.topic.0.deleted"]);
    assertEquals(namesIn(dataPath), ["a.topic.0.deleted", "b.topic.0.deleted"]);
  });
});

// A disk that cannot be written to

Deno.test("FileSegments.list() of a read-only disk lists segments beside what an interrupted write has left", async () => {
  await withDataPath((dataPath) => {
    write(new FileStores(dataPath), "t", 1);
    Deno.writeTextFileSync(`${dataPath}/t.topic/state.3.tmp`, "left");
    const files: FileSystem = {
      ...DENO_FILES,
      remove() {
        throw new Error("Read-only file system (os error 30)");
      },
    };

    const store = new FileStores(dataPath, files).open("t");

    assertEquals(store.list().map(({ base }) => base), [1]);
    assertEquals(namesIn(`${dataPath}/t.topic`), [ONE, "state.3.tmp"]);
    return Promise.resolve();
  });
});

/** Stores as they were before version 0.1: each topic's folder has its plain name. */
class PlainStores {
  readonly #dataPath: string;

  constructor(dataPath: string) {
    this.#dataPath = dataPath;
  }

  open(topic: string): FileSegments {
    return new FileSegments({ dataPath: this.#dataPath, name: `${topic}.topic`, files: DENO_FILES });
  }
}

/** Writes a segment of the topic. */
function write(stores: { open(topic: string): FileSegments }, topic: string, base: number): void {
  const store = stores.open(topic);
  store.append(base, Uint8Array.of(base));
  store.close();
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** The machine's files; it counts those that are open for writing. */
class CountedFiles {
  open = 0;
  openMax = 0;
  /** Paths of files that were synced. */
  readonly synced = new Set<string>();

  get files(): FileSystem {
    return {
      ...DENO_FILES,
      openAppend: (path) => {
        const file = DENO_FILES.openAppend(path);
        this.openMax = Math.max(this.openMax, ++this.open);
        return {
          get size() {
            return file.size;
          },
          append: (bytes) => file.append(bytes),
          truncate: (size) => file.truncate(size),
          sync: () => {
            this.synced.add(path);
            return file.sync();
          },
          close: () => {
            this.open--;
            file.close();
          },
        };
      },
      syncFile: (path) => {
        this.synced.add(path);
        return DENO_FILES.syncFile(path);
      },
    };
  }
}
