import { assertEquals, assertRejects } from "@std/assert";
import { moveFile, OutputFile } from "../../../src/tools/to_file/output_file.ts";
import { withDataPath } from "../../support/nsqd_in_process.ts";

const EITHER = { kind: "either", locked: false } as const;
const bytesOf = (text: string) => new TextEncoder().encode(text);

function folderTest(name: string, test: (folder: string) => Promise<void>): void {
  Deno.test(name, () => withDataPath(test));
}

folderTest("OutputFile makes the folders that its file needs, for its owner and group", async (base) => {
  const file = await OutputFile.open(`${base}/a/b/file`, { ...EITHER, base });
  await file?.append(bytesOf("x"));
  await file?.close();

  assertEquals(await Deno.readTextFile(`${base}/a/b/file`), "x");
  assertEquals(((await Deno.stat(`${base}/a`)).mode ?? 0) & 0o007, 0);
});

folderTest("OutputFile does not open a new file where there is one", async (base) => {
  await Deno.writeTextFile(`${base}/file`, "there");

  assertEquals(await OutputFile.open(`${base}/file`, { kind: "new", locked: false, base }), undefined);
});

folderTest("OutputFile does not make a file that should be there", async (base) => {
  assertEquals(await OutputFile.open(`${base}/file`, { kind: "existing", locked: true, base }), undefined);
  assertEquals(await Array.fromAsync(Deno.readDir(base)), []);
});

folderTest("OutputFile does not open what somebody else has locked", async (base) => {
  const first = await OutputFile.open(`${base}/file`, { kind: "either", locked: true, base });

  assertEquals(await OutputFile.open(`${base}/file`, { kind: "existing", locked: true, base }), undefined);
  await first?.close();
});

folderTest("OutputFile ends a line that was cut, once", async (base) => {
  for (const [before, after] of [["part", "part\n"], ["whole\n", "whole\n"], ["", ""]]) {
    await Deno.writeTextFile(`${base}/file`, before);
    const file = await OutputFile.open(`${base}/file`, { ...EITHER, base });
    await file?.endLine();
    await file?.close();

    assertEquals(await Deno.readTextFile(`${base}/file`), after);
  }
});

folderTest("moveFile() never takes the place of a file", async (base) => {
  await Deno.writeTextFile(`${base}/source`, "new");
  await Deno.writeTextFile(`${base}/there`, "old");

  assertEquals(await moveFile(`${base}/source`, { path: `${base}/there`, base }), false);
  assertEquals(await Deno.readTextFile(`${base}/there`), "old");
  assertEquals(await Deno.readTextFile(`${base}/source`), "new");
});

/** What the system says of a link to another file system. */
const otherFileSystem = () =>
  Promise.reject(Object.assign(new Error("Invalid cross-device link (os error 18)"), { code: "EXDEV" }));

folderTest("moveFile() copies to another file system, and leaves nothing else there", async (base) => {
  await Deno.writeTextFile(`${base}/source`, "new");

  assertEquals(await moveFile(`${base}/source`, { path: `${base}/out/file`, base }, otherFileSystem), true);

  assertEquals(await Deno.readTextFile(`${base}/out/file`), "new");
  assertEquals((await Array.fromAsync(Deno.readDir(`${base}/out`))).map(({ name }) => name), ["file"]);
  assertEquals((await Array.fromAsync(Deno.readDir(base))).map(({ name }) => name), ["out"]);
});

folderTest("moveFile() never takes the place of a file on another file system", async (base) => {
  await Deno.writeTextFile(`${base}/source`, "new");
  await Deno.writeTextFile(`${base}/there`, "old");

  assertEquals(await moveFile(`${base}/source`, { path: `${base}/there`, base }, otherFileSystem), false);
  assertEquals(await Deno.readTextFile(`${base}/there`), "old");
  const names = (await Array.fromAsync(Deno.readDir(base))).map(({ name }) => name);
  assertEquals(names.sort(), ["source", "there"]);
});

folderTest("moveFile() tells of what else goes wrong, and keeps the file", async (base) => {
  await Deno.writeTextFile(`${base}/source`, "new");
  const refused = () => Promise.reject(new Deno.errors.PermissionDenied("no"));

  await assertRejects(
    () => moveFile(`${base}/source`, { path: `${base}/file`, base }, refused),
    Deno.errors.PermissionDenied,
  );
  assertEquals(await Deno.readTextFile(`${base}/source`), "new");
});
