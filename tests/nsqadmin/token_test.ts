import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { OptionError } from "../../src/config/option.ts";
import { readTokenFile } from "../../src/nsqadmin/token_file.ts";
import { FakeHttp } from "../support/fake_http.ts";
import { TempFolder } from "../support/interop.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";

const TOKEN = "0123456789abcdef";

/** A file with that text, for `use`. */
async function withFile(text: string, use: (path: string) => Promise<void> | void): Promise<void> {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(`${folder.path}/token`, text, { mode: 0o600 });
  await use(`${folder.path}/token`);
}

Deno.test("readTokenFile() is the token, alone in its line, and none without a path", async () => {
  assertEquals(readTokenFile(""), undefined);
  await withFile(`# of the console\n\n  ${TOKEN}  \r\n`, (path) => assertEquals(readTokenFile(path), TOKEN));
});

for (
  const [what, text] of [
    ["no token", "# nothing\n"],
    ["two tokens", `${TOKEN}\n${TOKEN}\n`],
    ["a token that is too short", TOKEN.slice(1)],
    ["a token that is too long", "x".repeat(1025)],
    ["a token with a space in it", `${TOKEN} admin`],
    ["a token that no header can have", `${TOKEN}é`],
  ]
) {
  Deno.test(`readTokenFile() refuses a file with ${what}`, async () => {
    await withFile(
      text,
      (path) => void assertThrows(() => readTokenFile(path), OptionError, "must have one line"),
    );
  });
}

Deno.test("nsqadmin shows its token to nsqds and to nobody else, and after a reload the new one", async () => {
  await using nsqd = new FakeHttp(() => Response.json({ topics: [] }));
  const [host, port] = nsqd.address.split(":");
  const producer = { hostname: "h", broadcast_address: host, http_port: Number(port) };
  await using lookupd = new FakeHttp(() => Response.json({ producers: [producer] }));

  await withFile(TOKEN, async (path) => {
    const options = { lookupdHttpAddresses: [lookupd.address], nsqdAuthTokenFile: path };
    const lines = await withNsqadmin(options, async (admin) => {
      await admin.json("/api/topics/t");
      await Deno.writeTextFile(path, TOKEN.toUpperCase());
      admin.nsqadmin.reload();
      await admin.ask("POST", "/api/topics/t", { body: { action: "pause" } });
      await Deno.writeTextFile(path, "");
      assertThrows(() => admin.nsqadmin.reload(), OptionError);
      await admin.json("/api/topics/t");
    }, { token: TOKEN });

    const shown = ({ requests }: FakeHttp) => requests.map(({ headers }) => headers.get("authorization"));
    const [old, renewed] = [`Bearer ${TOKEN}`, `Bearer ${TOKEN.toUpperCase()}`];
    assertEquals(shown(nsqd), [old, renewed, renewed]);
    assertEquals(shown(lookupd), [null, null, null]);
    assertStringIncludes(lines.join("\n"), "reloaded token");
    assert(!lines.join("\n").toLowerCase().includes(TOKEN));
  });
});
