import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { OptionError } from "../../../src/config/option.ts";
import { HttpTokens } from "../../../src/nsqd/api/tokens.ts";

const SHOP = "shop-0123456789abcdef";
const WATCH = "watch-0123456789abcdef";

/** The tokens of a file with this text, or its error's message with FILE for the path. */
function read(text: string | Uint8Array): HttpTokens | string {
  const path = Deno.makeTempFileSync({ prefix: "denosq_tokens_" });
  try {
    Deno.writeFileSync(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
    return HttpTokens.read(path);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return error.message.replace(path, "FILE");
  } finally {
    Deno.removeSync(path);
  }
}

function rolesOf(text: string, token: string): string[] | undefined {
  const tokens = read(text);
  assert(typeof tokens !== "string", String(tokens));
  const holder = tokens.holderOf(token);
  return holder && [...holder.roles];
}

function nameOf(text: string, token: string): string | undefined {
  const tokens = read(text);
  assert(typeof tokens !== "string", String(tokens));
  return tokens.holderOf(token)?.name;
}

const READ: readonly [name: string, text: string, roles: string[]][] = [
  ["a role", `${SHOP} publish`, ["publish"]],
  ["several roles", `${SHOP} publish,read,admin\n`, ["publish", "read", "admin"]],
  ["a role that is said twice", `${SHOP} read,read`, ["read"]],
  ["space around and between", `\t ${SHOP} \t read  \r\n`, ["read"]],
  ["comments and blank lines", `# shop\n\n  # more\n${SHOP} read # why\n#${WATCH} admin\n`, ["read"]],
  ["lines as Windows ends them", `# shop\r\n\r\n${SHOP} read # why\r\n`, ["read"]],
  ["the second line", `${WATCH} admin\n${SHOP} read`, ["read"]],
  ["a name", `${SHOP} web.shop@1 publish,read`, ["publish", "read"]],
  ["a byte order mark", `\ufeff${SHOP} read`, ["read"]],
];

for (const [name, text, roles] of READ) {
  Deno.test(`HttpTokens.read() takes ${name}`, () => {
    assertEquals(rolesOf(text, SHOP), roles);
  });
}

Deno.test("HttpTokens.read() takes every character that a header can carry, # too inside of a token", () => {
  const token = String.fromCharCode(...Array.from({ length: 0x7f - 0x21 }, (_, i) => 0x21 + i)).replace(
    "#",
    "",
  );
  const withHash = `0123456789#abcdef`;

  assertEquals(rolesOf(`${token} read\n${withHash} admin`, token), ["read"]);
  assertEquals(rolesOf(`${token} read\n${withHash} admin`, withHash), ["admin"]);
});

Deno.test("HttpTokens.holderOf() knows the name, and calls a token without one after its line", () => {
  const text = `# shop\n${SHOP} shop publish\n${WATCH} read\n`;

  assertEquals([nameOf(text, SHOP), nameOf(text, WATCH)], ["shop", "line 3"]);
});

Deno.test("HttpTokens.read() takes two tokens of one name", () => {
  const text = `${SHOP} shop publish\n${WATCH} shop publish\n`;

  assertEquals([nameOf(text, SHOP), nameOf(text, WATCH)], ["shop", "shop"]);
});

const NAMES = "the name has more than 64 characters, or others than letters, digits, and . _ @ -";
const FORM = "a line is a token, a space, and roles with commas between";
const REFUSED: readonly [text: string | Uint8Array, message: string][] = [
  ["", 'HTTP auth token file "FILE" lists no token'],
  ["# only a comment\n\n", 'HTTP auth token file "FILE" lists no token'],
  [SHOP, `HTTP auth token file "FILE", line 1: ${FORM}`],
  [`${SHOP} publish, read`, `HTTP auth token file "FILE", line 1: ${FORM}`],
  [`# x\n\n${SHOP} publish read`, `HTTP auth token file "FILE", line 3: ${FORM}`],
  [`${SHOP} shop publish read`, `HTTP auth token file "FILE", line 1: ${FORM}`],
  [
    `${SHOP} shop write`,
    'HTTP auth token file "FILE", line 1: role 1 is none of publish, consume, peek, read, admin',
  ],
  [`${SHOP} my/shop read`, `HTTP auth token file "FILE", line 1: ${NAMES}`],
  [`${SHOP} ${"x".repeat(65)} read`, `HTTP auth token file "FILE", line 1: ${NAMES}`],
  [
    `${SHOP} write`,
    'HTTP auth token file "FILE", line 1: role 1 is none of publish, consume, peek, read, admin',
  ],
  [
    `${SHOP} read,`,
    'HTTP auth token file "FILE", line 1: role 2 is none of publish, consume, peek, read, admin',
  ],
  [
    `${SHOP} Read`,
    'HTTP auth token file "FILE", line 1: role 1 is none of publish, consume, peek, read, admin',
  ],
  [
    `${SHOP} toString`,
    'HTTP auth token file "FILE", line 1: role 1 is none of publish, consume, peek, read, admin',
  ],
  ["012345678901234 read", 'HTTP auth token file "FILE", line 1: the token has fewer than 16 characters'],
  [`read ${SHOP}`, 'HTTP auth token file "FILE", line 1: the token has fewer than 16 characters'],
  [
    `größer-als-sechzehn read`,
    'HTTP auth token file "FILE", line 1: the token has characters that a request cannot carry',
  ],
  [
    `${SHOP} read\n${WATCH} read\n${SHOP} admin`,
    'HTTP auth token file "FILE", line 3: the token is that of line 1 again',
  ],
  [Uint8Array.of(0xff, 0xfe, 0), 'Cannot read HTTP auth token file "FILE": it is not a text file'],
];

for (const [text, message] of REFUSED) {
  Deno.test(`HttpTokens.read() refuses ${JSON.stringify(text).slice(0, 60)}`, () => {
    assertEquals(read(text), message);
  });
}

const LIMITS: readonly [roles: string, allowed: string[], refused: string[]][] = [
  ["consume:orders", ["consume orders mail", "consume orders x"], ["consume news mail", "publish orders "]],
  ["peek:orders/mail", ["peek orders mail"], ["peek orders x", "peek news mail", "consume orders mail"]],
  ["consume:orders/mail", ["consume orders mail"], ["consume orders x", "consume news mail"]],
  ["consume:news*", ["consume news a", "consume newsletter b"], ["consume new a"]],
  ["consume:*/mail*", ["consume a mail", "consume b mail2"], ["consume a x"]],
  ["publish:a,publish:b", ["publish a ", "publish b "], ["publish c ", "consume a x"]],
  ["publish:a,publish", ["publish a ", "publish c "], ["consume a x"]],
  ["consume:a#ephemeral", ["consume a#ephemeral x"], ["consume a x"]],
  ["consume:a/b#ephemeral", ["consume a b#ephemeral"], ["consume a b"]],
];

for (const [roles, allowed, refused] of LIMITS) {
  Deno.test(`HttpTokens.holderOf() knows what ${roles} is limited to`, () => {
    const tokens = read(`${SHOP} ${roles}`);
    assert(typeof tokens !== "string", String(tokens));
    const may = (what: string) => {
      const [role, topic, channel] = what.split(" ");
      return tokens.holderOf(SHOP)?.may(role as "consume", topic, channel);
    };

    assertEquals(allowed.filter((what) => !may(what)), []);
    assertEquals(refused.filter(may), []);
  });
}

const NO_TOPIC = "is limited to what is no topic, or no channel";
const BAD_LIMITS: readonly [roles: string, problem: string][] = [
  ["consume:", NO_TOPIC],
  ["consume:a/", NO_TOPIC],
  ["consume:/a", NO_TOPIC],
  ["consume:a/b/c", NO_TOPIC],
  ["consume:a:b", NO_TOPIC],
  ["consume:a*b", NO_TOPIC],
  ["consume:a b", FORM],
  ["publish:a/b", NO_TOPIC],
  ["read:a", "cannot be limited to a topic"],
  ["admin:a", "cannot be limited to a topic"],
];

for (const [roles, problem] of BAD_LIMITS) {
  Deno.test(`HttpTokens.read() refuses the limit in ${roles}`, () => {
    const said = problem === FORM ? FORM : `role 1 ${problem}`;
    assertEquals(read(`${SHOP} ${roles}`), `HTTP auth token file "FILE", line 1: ${said}`);
  });
}

Deno.test("HttpTokens.read() takes a name of 64 characters", () => {
  assertEquals(nameOf(`${SHOP} ${"x".repeat(64)} read`, SHOP), "x".repeat(64));
});

Deno.test("HttpTokens.read() takes a token of 16 characters", () => {
  assertEquals(rolesOf("0123456789abcdef read", "0123456789abcdef"), ["read"]);
});

Deno.test("HttpTokens.read() refuses a file that is not there", () => {
  const error = assertThrows(() => HttpTokens.read("/does/not/exist"), OptionError);

  assertStringIncludes(error.message, 'Cannot read HTTP auth token file "/does/not/exist": No such file');
});

Deno.test("HttpTokens.holderOf() knows whole tokens only", () => {
  for (const token of ["", SHOP.slice(0, -1), `${SHOP}x`, SHOP.toUpperCase(), "read"]) {
    assertEquals(rolesOf(`${SHOP} read`, token), undefined, token);
  }
});

Deno.test("HttpTokens shows nothing of the tokens", () => {
  const tokens = read(`${SHOP} read`);

  assert(!Deno.inspect(tokens, { depth: 10, showHidden: true }).includes("shop-"));
  assertEquals(JSON.stringify(tokens), "{}");
});
