import { assertEquals, assertRejects } from "@std/assert";
import { DataPath } from "../../src/storage/data_path.ts";

Deno.test("DataPath.lock() lets one at a time have the folder", async () => {
  const path = Deno.makeTempDirSync();
  try {
    {
      using first = new DataPath(path);
      await first.lock();
      using second = new DataPath(path);
      await assertRejects(
        () => second.lock(),
        Error,
        `cannot lock folder ${path} (possibly in use by another instance of nsqd)`,
      );
    }
    using third = new DataPath(path);
    await third.lock();
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("DataPath.lock() rejects for what is no folder, or is not there", async () => {
  const path = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${path}/file`, "");
    using file = new DataPath(`${path}/file`);
    using nothing = new DataPath(`${path}/nothing`);

    await assertRejects(() => file.lock(), Error, `${path}/file is no folder`);
    await assertRejects(() => nothing.lock(), Deno.errors.NotFound);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("DataPath takes the working directory for the empty path", () => {
  using dataPath = new DataPath("");

  assertEquals(dataPath.path, Deno.cwd());
});
