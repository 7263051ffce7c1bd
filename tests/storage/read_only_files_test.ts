import { assertEquals } from "@std/assert";
import { DENO_FILES } from "../../src/storage/file_system.ts";
import { readOnly } from "../../src/storage/read_only_files.ts";
import { namesIn } from "../support/go_data_path.ts";
import { withDataPath } from "../support/nsqd_in_process.ts";

Deno.test("readOnly() shows what is there", async () => {
  await withDataPath(async (folder) => {
    const path = `${folder}/file`;
    Deno.writeTextFileSync(path, "0123456789");
    const files = readOnly(DENO_FILES);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

    assertEquals(files.list(folder), [{ name: "file", isFolder: false }]);
    assertEquals([text(await files.read(path)), text(files.readSync(path))], ["0123456789", "0123456789"]);
    assertEquals(text(files.readEnd(path, 3).end), "789");
    const part = { offset: 2, length: 3 };
    assertEquals(text((await files.readPart(path, part)).bytes), "234");
    assertEquals(text(files.readPartSync(path, part).bytes), "234");
    assertEquals(files.openAppend(path).size, 10);
  });
});

Deno.test("readOnly() changes nothing, whatever is done", async () => {
  await withDataPath(async (folder) => {
    const path = `${folder}/file`;
    Deno.writeTextFileSync(path, "kept");
    Deno.mkdirSync(`${folder}/folder`);
    const files = readOnly(DENO_FILES);

    const file = files.openAppend(path);
    file.append(new Uint8Array(3));
    assertEquals(file.size, 7);
    file.truncate(1);
    await file.sync();
    file.close();
    files.write(path, new Uint8Array());
    files.rename(path, `${folder}/other`);
    files.remove(path);
    files.removeFolder(`${folder}/folder`);
    assertEquals(files.makeFolder(`${folder}/new`), false);
    await files.syncFile(path);
    await files.syncFolder(folder);
    await files.unlink(path);
    await files.removeTree(`${folder}/folder`);

    assertEquals(namesIn(DENO_FILES, folder), ["file", "folder/"]);
    assertEquals(Deno.readTextFileSync(path), "kept");
  });
});
