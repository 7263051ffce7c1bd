/**
 * Style as a test: which folder may use which, what no file may contain, what every file must have. The reasons
 * are in docs/architecture.md; a rule that is in the way is changed here, with its reason, not worked around.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);

/**
 * The folders of src: a file imports from its own and from those further down only. On one line are siblings,
 * which do not know each other.
 */
const LAYERS: readonly (readonly string[])[] = [
  ["cli"],
  ["nsqd", "nsqlookupd", "nsqadmin", "tools"],
  ["client"],
  ["cluster"],
  ["storage"],
  ["broker"],
  ["log"],
  ["http"],
  ["net"],
  ["tls"],
  ["config"],
  ["protocol"],
  ["base"],
];

/** The rooms of src/nsqd in the same sense, below the files at its door, which no room imports from. */
const NSQD_ROOMS: readonly (readonly string[])[] = [
  ["door"],
  ["api"],
  ["kv"],
  ["queue"],
  ["session", "lookup", "gossip", "stats"],
  ["node"],
];

/** Names that say of what kind a file is, and not what it is about. */
const BANNED_NAMES =
  /^(utils?|helpers?|common|shared|misc|lib|types?|interfaces?|classes|enums?|constants?)$/;

const LINES_MAX = 400;
/** Longer files, each with the reason why it is one file. */
const LONG_FILES: ReadonlyMap<string, string> = new Map([
  ["src/broker/channel.ts", "one state machine: every transition of a message touches the same counts"],
  ["src/log/segment.ts", "adding, closing and copying messages share the image and its index"],
  ["src/log/segment_image.ts", "the format is described, written and read in one place"],
  ["src/log/topic_log.ts", "where a message is kept, and when it goes, is one decision"],
  [
    "src/broker/outstanding.ts",
    "one table: its lists and its heap share the columns, and grow and shrink with them",
  ],
  ["src/broker/topic.ts", "publishing, distributing and recovering share the topic's position"],
  ["src/client/consumer.ts", "what a consumer knows of all its nodes, and everything that changes it"],
  ["src/client/producer.ts", "what a producer has to publish, and everything that becomes of it"],
  ["src/nsqd/composition.ts", "what each part is given of the others is one list, read from the top down"],
  ["src/nsqadmin/console/texts/english.tsx", "a table: all that the pages say in a language is in one place"],
  ["src/nsqd/api/description.ts", "a table: every endpoint is described in one place"],
  ["src/nsqd/session/commands.ts", "one function for each command, in one place"],
  ["src/nsqd/session/session.ts", "the connection's state, and everything that changes it"],
]);

/** Files that no program uses, each with the reason why it is there. */
const UNUSED_FILES: ReadonlyMap<string, string> = new Map([
  ["src/storage/memory_segments.ts", "the store of a broker without a disk, which only tests have so far"],
]);

/** Tests that wait for time to pass, with the reason; all others use eventually(). */
const WAITING_TESTS: ReadonlyMap<string, string> = new Map([
  ["tests/support/eventually.ts", "the one place for it"],
  ["tests/net/tls_server_test.ts", "stands in for the timer of the handshake, and lets other timers through"],
  ["tests/hostile/witness_worker.ts", "leaves the daemon and those who attack it room between two questions"],
  ["tests/crash/kill_actors.ts", "the moment of the kill, and the pace of those who publish, are random"],
  [
    "tests/interop/workload.ts",
    "asks /stats again until FINs have arrived, which are not answered; within a limit",
  ],
]);

interface SourceFile {
  /** From the project's root on. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
  /** Without comments and the contents of strings. */
  readonly bareCode: string;
}

interface Import {
  readonly from: SourceFile;
  readonly specifier: string;
  /** The file that is imported, from the project's root on; undefined for packages. */
  readonly target: string | undefined;
  /** Nothing of it is there at run time. */
  readonly typeOnly: boolean;
}

const SRC = filesIn("src/");
const TESTS = filesIn("tests/");
const ALL = [read("main.ts"), ...SRC, ...TESTS, ...filesIn("bench/")];

Deno.test("src/ is found", () => {
  assert(SRC.length > 40, `only ${SRC.length} files`);
});

Deno.test("Each folder of src/ imports only from folders further down the list of layers", () => {
  assertEquals(importsUpward(LAYERS, folderOf), []);
  assertEquals(SRC.map(({ path }) => folderOf(path)).filter((folder) => levelIn(LAYERS, folder) < 0), []);
});

Deno.test("Each room of src/nsqd imports only from rooms further down the list, and never from the door", () => {
  const rooms = new Set(SRC.map(({ path }) => roomOf(path)).filter((room) => room !== undefined));

  assertEquals(importsUpward(NSQD_ROOMS, roomOf), []);
  assertEquals([...rooms].sort(), NSQD_ROOMS.flat().sort());
});

Deno.test("tests/ mirrors the rooms of src/nsqd", () => {
  const rooms = TESTS.flatMap(({ path }) => /^tests\/nsqd\/(\w+)\//.exec(path)?.[1] ?? []);

  assertEquals(rooms.filter((room) => levelIn(NSQD_ROOMS, room) < 0), []);
});

Deno.test("src/ imports nothing outside of src/ but the manifest", () => {
  const wrong = SRC.flatMap(importsOf)
    .filter(({ target }) => target !== undefined && !target.startsWith("src/") && target !== "deno.json");

  assertEquals(wrong.map(describe), []);
});

Deno.test("main.ts imports src/cli only", () => {
  const targets = importsOf(read("main.ts")).map(({ target }) => target).filter((target) =>
    target !== undefined
  );

  assertEquals(targets.map(folderOf), ["cli"]);
});

Deno.test("No files of src/ import each other in a circle", () => {
  const imports = new Map(SRC.map((file) => [
    file.path,
    importsOf(file).flatMap(({ target, typeOnly }) => target === undefined || typeOnly ? [] : [target]),
  ]));

  assertEquals(circlesIn(imports), []);
});

Deno.test("Every import is of a file that exists, or of a package that deno.json names", () => {
  const files = new Set(ALL.map(({ path }) => path));
  const wrong = ALL.flatMap(importsOf).filter(({ specifier, target }) => {
    if (target !== undefined) return !files.has(target) && !exists(target);
    return !specifier.startsWith("node:") && !Object.hasOwn(manifest.imports, specifier);
  });

  assertEquals(wrong.map(describe), []);
});

Deno.test("Every file of src/ is used by main.ts or by a task", () => {
  const tasks = Object.values(manifest.tasks).flatMap((task) => task.match(/src\/\S+\.ts/g) ?? []);
  const entries = [
    "main.ts",
    ...tasks,
    ...manifest.compilerOptions.types.map((path) => path.replace("./", "")),
  ];
  const used = new Set<string>();
  const use = (path: string) => {
    if (used.has(path) || !/\.tsx?$/.test(path)) return;
    used.add(path);
    for (const { target } of importsOf(read(path))) if (target !== undefined) use(target);
  };
  for (const entry of entries) use(entry);

  assertEquals(SRC.map(({ path }) => path).filter((path) => !used.has(path)), [...UNUSED_FILES.keys()]);
});

Deno.test("No file or folder is named after its kind", () => {
  const names = ALL.flatMap(({ path }) => path.replace(/(_test)?(\.d)?\.tsx?$/, "").split("/"));

  assertEquals(names.filter((name) => BANNED_NAMES.test(name)), []);
});

Deno.test("Files are named in snake_case", () => {
  const wrong = ALL.map(({ path }) => path).filter((path) =>
    !/^([a-z0-9_]+\/)*[a-z0-9_]+(\.d)?\.tsx?$/.test(path)
  );

  assertEquals(wrong, []);
});

Deno.test("Every file but tests, whose names say it, begins with a comment on what it is for", () => {
  const files = ALL.filter(({ path }) => !/(_test\.tsx?|\.d\.ts)$/.test(path));
  const wrong = files.filter(({ text }) => !/^\/\*\*\n \* \S[\s\S]*?\n \* @module\n \*\/\n/.test(text));

  assertEquals(wrong.map(({ path }) => path), []);
});

Deno.test("Every file of src/ is checked, and what is for browsers apart from all else", () => {
  const checked = new Set<string>();
  const check = (path: string) => {
    if (checked.has(path) || !/\.tsx?$/.test(path)) return;
    checked.add(path);
    for (const { target } of importsOf(read(path))) if (target !== undefined) check(target);
  };
  const entries = ALL.map(({ path }) => path).filter((path) =>
    /^(main\.ts|src\/cli\/|tests\/|bench\/)/.test(path)
  );
  for (const entry of entries) check(entry);
  const missing = SRC.map(({ path }) => path).filter((path) => !checked.has(path) && !path.endsWith(".d.ts"));

  assertEquals(missing, missing.filter((path) => path.startsWith("src/nsqadmin/console/browser/")));
  assertEquals(
    manifest.tasks.check,
    "deno check main.ts src/cli/ tests/ bench/ examples/ && deno check src/nsqadmin/console/browser/",
  );
});

Deno.test("Only src/http/deno_serve.ts serves HTTP by the runtime", () => {
  const paths = new Set(linesWith(SRC, /\bDeno\.serve\b/).map((place) => place.slice(0, place.indexOf(":"))));

  assertEquals([...paths], ["src/http/deno_serve.ts"]);
});

Deno.test("Only the logger, src/cli and the entries of programs write to the console", () => {
  const mayWrite = /^src\/(base\/logger|cli\/\w+|\w+\/main)\.ts$/;

  assertEquals(linesWith(SRC.filter(({ path }) => !mayWrite.test(path)), /\bconsole\./), []);
});

Deno.test("src/broker, src/log, src/protocol and src/config/address.ts use nothing of the outside", () => {
  const pure = SRC.filter(({ path }) =>
    /^src\/(broker|log|protocol)\/|^src\/config\/address\.ts$/.test(path)
  );

  // Error classes do nothing; with one of them the port to the store says that a segment is not there.
  assertEquals(
    linesWith(
      pure,
      /\bDeno\.(?!errors\.)|\bfetch\(|\bsetTimeout\(|\bsetInterval\(|\bDate\.now\(|\bperformance\./,
    ),
    [],
  );
  assertEquals(
    pure.flatMap(importsOf).filter(({ specifier }) => specifier.startsWith("node:")).map(describe),
    [],
  );
});

Deno.test("No file switches the type checker off", () => {
  const others = ALL.filter(({ path }) => path !== "tests/tidy_test.ts");
  const matching = (files: readonly SourceFile[], pattern: RegExp) =>
    files.filter(({ text }) => pattern.test(text)).map(({ path }) => path);

  assertEquals(linesWith(ALL, /[:<|&,(]\s*any\b(?!\s*\()|\bas any\b|\bany\[\]/), []);
  assertEquals(matching(others, /@ts-(ignore|nocheck)|\/\/ deno-lint-ignore/), []);
  // A test may expect one: that a wrong use is an error is a thing to test.
  assertEquals(matching(SRC, /@ts-expect-error/), []);
  assertEquals(matching(others, /@ts-expect-error *$/m), []);
});

Deno.test("No file claims with ! that a value is there", () => {
  assertEquals(linesWith(ALL, /[\w)\]]!\s*([.;,)\]\[]|$)/), []);
});

Deno.test("No file declares an enum, or members private in TypeScript's sense", () => {
  assertEquals(linesWith(ALL, /\benum \w+ *\{/), []);
  assertEquals(linesWith(ALL, /^\s*(private|protected|public) (?!constructor)/), []);
});

Deno.test("No catch is empty", () => {
  assertEquals(
    ALL.filter(({ text }) => /\bcatch\s*(\(\w+\)\s*)?\{\s*\}/.test(text)).map(({ path }) => path),
    [],
  );
  assertEquals(linesWith(SRC, /\.catch\(\(\w*\) => \{\s*\}\)/), []);
});

Deno.test("Whatever is left to do has the number of an issue", () => {
  const left = /\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/;
  const others = ALL.filter(({ path }) => path !== "tests/tidy_test.ts");

  assertEquals(others.filter(({ text }) => left.test(text)).map(({ path }) => path), []);
});

Deno.test(`Files of more than ${LINES_MAX} lines are in the list of those that may be`, () => {
  const long = SRC.filter(({ text }) => text.split("\n").length - 1 > LINES_MAX).map(({ path }) => path);

  assertEquals(long.filter((path) => !LONG_FILES.has(path)), []);
  assertEquals([...LONG_FILES.keys()].filter((path) => !exists(path)), []);
});

Deno.test("Tests wait for what happens, never for time to pass", () => {
  const others = TESTS.filter(({ path }) => !WAITING_TESTS.has(path));

  // A limit on how long something may take is no wait: its timer is cleared, and does something when it fires.
  assertEquals(
    linesWith(others, /\bsetTimeout\(\s*\w+\s*,|\bsetTimeout\(\(\) => \w+\(\)\s*,|\bawait delay\(/),
    [],
  );
});

Deno.test("Every test says what it is about, and none is left out or alone", () => {
  const tests = TESTS.filter(({ path }) => /_test\.tsx?$/.test(path) && path !== "tests/tidy_test.ts");

  assertEquals(linesWith(tests, /\bDeno\.test\.(only|ignore)\b/), []);
  assertEquals(
    tests.filter(({ code }) => !/\bDeno\.test\(|\w+Test\(/.test(code)).map(({ path }) => path),
    [],
  );
});

function filesIn(folder: string): SourceFile[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].sort((a, b) => a.name < b.name ? -1 : 1).flatMap(
    (entry) => {
      if (entry.name === "node_modules") return [];
      if (entry.isDirectory) return filesIn(`${folder}${entry.name}/`);
      return /\.tsx?$/.test(entry.name) ? [read(folder + entry.name)] : [];
    },
  );
}

function read(path: string): SourceFile {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  // Good enough for this project: no string holds a comment that begins after a space.
  const code = text.replace(
    /^\s*\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm,
    (comment) => comment.replace(/[^\n]/g, ""),
  );
  const strings = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`/g;
  const bareCode = code.replace(strings, (string) => `""${string.replace(/[^\n]/g, "")}`);
  return { path, text, code, bareCode };
}

function importsOf(from: SourceFile): Import[] {
  const statement =
    /^(?:import|export)\s+(type\s+)?(?:[^"';()=]*?\bfrom\s+)?"([^"\n]+)"|\bimport\("([^"\n]+)"\)/gm;
  return [...from.code.matchAll(statement)].map(([, type, fixed, dynamic]) => {
    const specifier = fixed ?? dynamic;
    const target = specifier.startsWith(".")
      ? new URL(specifier, new URL(from.path, ROOT)).href.slice(ROOT.href.length)
      : undefined;
    return { from, specifier, target, typeOnly: type !== undefined };
  });
}

function folderOf(path: string): string {
  return /^src\/(\w+)\//.exec(path)?.[1] ?? "base";
}

/** The room of src/nsqd that a file is in; undefined outside of src/nsqd. */
function roomOf(path: string): string | undefined {
  const inside = /^src\/nsqd\/(?:(\w+)\/)?/.exec(path);
  return inside ? inside[1] ?? "door" : undefined;
}

function levelIn(layers: readonly (readonly string[])[], name: string): number {
  return layers.findIndex((layer) => layer.includes(name));
}

/** Imports between the named parts that do not lead further down. */
function importsUpward(
  layers: readonly (readonly string[])[],
  partOf: (path: string) => string | undefined,
): string[] {
  return SRC.flatMap(importsOf).filter(({ from, target }) => {
    const [here, there] = [partOf(from.path), target === undefined ? undefined : partOf(target)];
    if (here === undefined || there === undefined || here === there) return false;
    return levelIn(layers, there) <= levelIn(layers, here);
  }).map(describe);
}

function describe({ from, specifier }: Import): string {
  return `${from.path} imports ${specifier}`;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Places where the code, without comments and strings, matches: `path:line: text`. */
function linesWith(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, bareCode }) =>
    bareCode.split("\n").flatMap((line, i) => pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])
  );
}

function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return circles;
}
