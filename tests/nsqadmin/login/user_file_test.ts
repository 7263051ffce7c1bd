import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { OptionError } from "../../../src/config/option.ts";
import {
  fileState,
  LINES_MAX,
  TOKENS_MAX,
  USER_FILE_SIZE_MAX,
  UserFile,
  USERS_MAX,
} from "../../../src/nsqadmin/login/user_file.ts";
import { TempFolder } from "../../support/interop.ts";
import { tokenHash } from "../../support/login.ts";
import { Random } from "../../support/random.ts";

const HASH = `$scrypt$ln=14,r=8,p=1$${"A".repeat(22)}$${"B".repeat(43)}`;
const TOKEN = "0123456789abcdef";

Deno.test("UserFile.parse() reads names, roles, passwords and tokens, beside comments", () => {
  const users = UserFile.parse(
    `# the team\r\n\nanna\tadmin  ${HASH}  # the boss\n ben operator,peek,operator ${
      tokenHash(TOKEN)
    } ${HASH} ${tokenHash("another token of ben")}\nci viewer ${tokenHash("short")}`,
    "users",
  );

  const anna = users.get("anna");
  assertEquals([anna?.roles, anna?.password?.ln, anna?.passwordText], [["admin"], 14, HASH]);
  const ben = users.get("ben");
  assertEquals(ben?.roles, ["operator", "peek"]);
  assertEquals(users.holderOf(TOKEN), ben);
  assertEquals(users.holderOf("another token of ben"), ben);
  assertEquals(users.holderOf(`${TOKEN}x`), undefined);
  assertEquals([users.get("ci")?.password, users.get("Anna")], [undefined, undefined]);
  // Whatever its hash: it could be guessed.
  assertEquals(users.holderOf("short"), undefined);
});

const REFUSED: readonly (readonly [text: string, problem: string])[] = [
  ["", "lists no user"],
  ["# nobody\n", "lists no user"],
  ["\nanna", "line 2: a line is a name, a space, roles"],
  ["anna secret", "line 1: a line is a name, a space, roles"],
  ["anna admin", "line 1: a line is a name, a space, roles"],
  [`an:na admin ${HASH}`, "line 1: the name has more than 64 characters, or others"],
  [`${"a".repeat(65)} admin ${HASH}`, "line 1: the name has more than 64 characters"],
  [`anna secret ${HASH}`, "line 1: role 1 is none of viewer, peek, operator, admin"],
  [`anna admin,,peek ${HASH}`, "line 1: role 2 is none of"],
  [`anna ${"admin,".repeat(100)}admin ${HASH}`, "line 1: there are more roles than there can be"],
  [`anna admin secret`, "line 1: hash 1 is none of a password"],
  [`anna admin ${HASH} secret`, "line 1: hash 2 is none of a password"],
  [`anna admin ${HASH.replace("ln=14", "ln=17")}`, "line 1: hash 1 is none of a password"],
  [`anna admin sha256:secret`, "line 1: hash 1 is none of a password"],
  [`anna admin ${tokenHash(TOKEN).toUpperCase()}`, "line 1: hash 1 is none of a password"],
  [`anna admin ${HASH} ${HASH}`, "line 1: there are two passwords"],
  [`anna admin ${HASH}\nanna viewer ${HASH}`, "line 2: the user is that of line 1 again"],
  [
    `anna admin ${tokenHash(TOKEN)}\nben viewer ${tokenHash(TOKEN)}`,
    "line 2: a token is that of line 1 again",
  ],
  [`anna admin ${tokenHash(TOKEN)} ${tokenHash(TOKEN)}`, "line 1: hash 2 stands there twice"],
  [`anna admin ${tokens(TOKENS_MAX + 1)}`, `line 1: there are more than ${TOKENS_MAX} tokens`],
];

for (const [text, problem] of REFUSED) {
  Deno.test(`UserFile.parse() refuses ${JSON.stringify(text.slice(0, 50))}: ${problem}`, () => {
    const { message } = assertThrows(() => UserFile.parse(text, "/etc/users"), OptionError);

    assertStringIncludes(message, 'User file "/etc/users"');
    assertStringIncludes(message, problem);
    for (const secret of ["secret", HASH.slice(10), tokenHash(TOKEN).slice(7)]) {
      assert(!message.toLowerCase().includes(secret.toLowerCase()), message);
    }
  });
}

function tokens(count: number): string {
  return Array.from({ length: count }, (_, i) => tokenHash(`token ${i}`)).join(" ");
}

Deno.test("UserFile.parse() takes as many users, and tokens of one, as there may be", () => {
  const lines = Array.from({ length: USERS_MAX }, (_, i) => `user${i} viewer ${HASH}`);

  assertEquals(UserFile.parse(lines.join("\n"), "").get(`user${USERS_MAX - 1}`)?.roles, ["viewer"]);
  assertThrows(
    () => UserFile.parse([...lines, `one.more viewer ${HASH}`].join("\n"), ""),
    OptionError,
    `line ${USERS_MAX + 1}: there are more than ${USERS_MAX} users`,
  );
  assertEquals(UserFile.parse(`anna admin ${tokens(TOKENS_MAX)}`, "").get("anna")?.roles, ["admin"]);
});

Deno.test("UserFile.parse() reads as many lines as there may be", () => {
  const text = `anna admin ${HASH}${"\n#".repeat(LINES_MAX - 1)}`;

  assertEquals(UserFile.parse(`${text}\n`, "").get("anna")?.name, "anna");
  assertThrows(
    () => UserFile.parse(`${text}\n#`, ""),
    OptionError,
    `line ${LINES_MAX + 1}: there are more than ${LINES_MAX} lines`,
  );
  assertThrows(() => UserFile.parse(`${text}\n\n`, ""), OptionError, "there are more than");
});

Deno.test("UserFile.parse() takes any text, or refuses it with a line and without what it says", () => {
  const random = new Random(1);
  const parts = [
    "anna",
    `ben peek ${HASH}`,
    " ",
    "\n",
    "\t",
    "#",
    ",",
    "admin",
    "peek",
    HASH,
    "$scrypt$",
    "sha256:",
    tokenHash(TOKEN),
    "SECRET",
    "\u0000",
    "é",
    "$",
  ];
  let taken = 0;
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: random.below(12) }, () => random.pick(parts)).join("");
    try {
      UserFile.parse(text, "users");
      taken++;
    } catch (error) {
      assert(error instanceof OptionError, String(error));
      assert(/^User file "users"(, line \d+: | lists no user)/.test(error.message), error.message);
      assert(!/SECRET|AAAA|BBBB|[0-9a-f]{9}/.test(error.message), error.message);
    }
  }
  assert(taken > 0, "some are right");
});

Deno.test("UserFile.read() reads a file as large as it may be, and says what it cannot read", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/users`;
  const line = `anna admin ${HASH}\n#`;
  await Deno.writeTextFile(path, line.padEnd(USER_FILE_SIZE_MAX, "x"));
  assertEquals(UserFile.read(path)?.get("anna")?.name, "anna");

  await Deno.writeTextFile(path, line.padEnd(USER_FILE_SIZE_MAX + 1, "x"));
  assertThrows(() => UserFile.read(path), OptionError, `more than ${USER_FILE_SIZE_MAX} bytes`);
  await Deno.writeFile(path, new Uint8Array([255, 254]));
  assertThrows(() => UserFile.read(path), OptionError, "it is not a text file");
  assertThrows(() => UserFile.read(`${path}.gone`), OptionError, "Cannot read user file");
  assertEquals(UserFile.read(""), undefined);
});

Deno.test("fileState() is another one when the file is", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/users`;
  assertEquals(await fileState(path), undefined);
  await Deno.writeTextFile(path, `anna admin ${HASH}\n`);
  const before = await fileState(path);
  assertEquals(UserFile.read(path)?.state, before);

  // What editors do: the same size, and perhaps the same time.
  await Deno.writeTextFile(`${path}.new`, `anna peek  ${HASH}\n`);
  await Deno.rename(`${path}.new`, path);

  assert(await fileState(path) !== before);
});
