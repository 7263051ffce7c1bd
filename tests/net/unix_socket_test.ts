import { assert, assertEquals } from "@std/assert";
import { removeAbandonedSocket, removeSocket, socketAt } from "../../src/net/unix_socket.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A socket as a killed process leaves it: the runtime removes what it finds at the path that it has listened on. */
function abandon(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.new` });
  Deno.renameSync(`${path}.new`, path);
  listener.close();
}

Deno.test("removeAbandonedSocket() removes a socket that nobody listens on", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/s`;
    abandon(path);

    assertEquals(await removeAbandonedSocket(path), true);
    assertEquals(socketAt(path), undefined);
  });
});

Deno.test("removeAbandonedSocket() leaves a socket that somebody listens on", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/s`;
    using listener = Deno.listen({ transport: "unix", path });
    const accepting = listener.accept();

    assertEquals(await removeAbandonedSocket(path), false);
    assert(socketAt(path));
    (await accepting).close();
  });
});

Deno.test("removeAbandonedSocket() leaves what is no socket, and links to one", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/s`;
    abandon(path);
    Deno.writeTextFileSync(`${folder}/file`, "x");
    Deno.symlinkSync(path, `${folder}/link`);

    const removed = [];
    for (const name of ["file", "link", ".", "nothing"]) {
      removed.push(await removeAbandonedSocket(`${folder}/${name}`));
    }

    assertEquals(removed, [false, false, false, false]);
    assertEquals([...Deno.readDirSync(folder)].length, 3);
  });
});

Deno.test("socketAt() tells one socket from the next at the same path", async () => {
  await withFolder((folder) => {
    const path = `${folder}/s`;
    using _first = Deno.listen({ transport: "unix", path });
    const first = socketAt(path);
    Deno.renameSync(path, `${folder}/other`);
    using _second = Deno.listen({ transport: "unix", path });

    assert(first?.ino !== socketAt(path)?.ino);
    return Promise.resolve();
  });
});

Deno.test("removeSocket() takes it that the file is gone already", async () => {
  await withFolder((folder) => {
    removeSocket(`${folder}/s`);
    return Promise.resolve();
  });
});
