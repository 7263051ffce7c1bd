import { assertEquals } from "@std/assert";
import { STATIC_FILE_SIZE_MAX } from "../../src/nsqadmin/api/static_files.ts";
import { TempFolder } from "../support/interop.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";

Deno.test("--dev-static-dir has files of a folder served, and none of elsewhere", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(`${folder.path}/dev/sub`, { recursive: true });
  await Deno.writeTextFile(`${folder.path}/secret.js`, "secret");
  await Deno.writeTextFile(`${folder.path}/dev/a.js`, "let a;");
  await Deno.writeFile(`${folder.path}/dev/b.bin`, Uint8Array.of(0, 255));
  await Deno.truncate(`${folder.path}/dev/b.bin`, 3);
  await Deno.writeTextFile(`${folder.path}/dev/most.js`, "");
  await Deno.truncate(`${folder.path}/dev/most.js`, STATIC_FILE_SIZE_MAX);
  await Deno.writeTextFile(`${folder.path}/dev/more.js`, "");
  await Deno.truncate(`${folder.path}/dev/more.js`, STATIC_FILE_SIZE_MAX + 1);

  await withNsqadmin(
    { lookupdHttpAddresses: ["127.0.0.1:1"], devStaticDir: `${folder.path}/dev` },
    async (admin) => {
      const seen = async (path: string) => {
        const { status, headers, text } = await admin.ask("GET", path);
        return [status, headers.get("content-type"), text.length];
      };

      assertEquals(await seen("/static/a.js"), [200, "text/javascript; charset=utf-8", 6]);
      assertEquals(await seen("/fonts/a.js"), [200, "text/javascript; charset=utf-8", 6]);
      assertEquals((await seen("/static/b.bin")).slice(0, 2), [200, null]);
      assertEquals((await seen("/static/most.js"))[0], 200);
      for (
        const path of [
          "more.js",
          "none.js",
          "sub",
          "..%2fsecret.js",
          "%2e%2e%5csecret.js",
          "a.js%00",
        ]
      ) {
        const { status, headers, text } = await admin.ask("GET", `/static/${path}`);
        const refusal = headers.get("content-type")?.startsWith("application/json")
          ? '{"message":"NOT_FOUND"}'
          : "NOT_FOUND";
        assertEquals([path, status, text], [path, 404, refusal]);
      }
    },
  );
});

Deno.test("A file that is not built in is not found", async () => {
  await withNsqadmin({ lookupdHttpAddresses: ["127.0.0.1:1"] }, async (admin) => {
    const { status, headers, text } = await admin.ask("GET", "/static/none.js");

    assertEquals([status, headers.get("content-type"), text], [
      404,
      "text/plain; charset=utf-8",
      "NOT_FOUND",
    ]);
  });
});
