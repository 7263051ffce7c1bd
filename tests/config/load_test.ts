import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { bool, duration, int, string, stringList } from "../../src/config/kind.ts";
import { exitOnOptionError, loadOptions } from "../../src/config/load.ts";
import { COMMON_OPTIONS, configValue, option, OptionError, type OptionsOf } from "../../src/config/option.ts";

const TABLE = {
  ...COMMON_OPTIONS,
  count: option({ flag: "max-count", key: "count", kind: int, default: 3, description: "How many." }),
  waitMs: option({ flag: "wait-time", kind: duration, default: 250, description: "How long." }),
  fast: option({ flag: "fast", kind: bool, default: true, description: "How." }),
  hosts: option({
    flag: "host",
    key: "hosts",
    kind: stringList,
    default: () => ["here"],
    description: "Where.",
  }),
};

type Options = OptionsOf<typeof TABLE>;

interface Outcome {
  readonly options: Options;
  readonly warnings: readonly string[];
}

/** What starting with these flags leads to; `toml` becomes a configuration file, `FILE` in what is said of it. */
function load(args: readonly string[], toml?: string): Outcome {
  if (toml === undefined) return run(args);
  const path = Deno.makeTempFileSync({ suffix: ".toml" });
  try {
    Deno.writeTextFileSync(path, toml);
    const { options, warnings } = run([`--config=${path}`, ...args]);
    return {
      options: { ...options, config: "" },
      warnings: warnings.map((text) => text.replace(path, "FILE")),
    };
  } catch (error) {
    if (error instanceof OptionError) error.message = error.message.replace(path, "FILE");
    throw error;
  } finally {
    Deno.removeSync(path);
  }
}

function run(args: readonly string[]): Outcome {
  const loaded = loadOptions("prog", TABLE, args);
  if (loaded.kind === "exit") throw new Error(`Exit: ${loaded.text}`);
  return { options: loaded.options, warnings: loaded.warnings };
}

const DEFAULTS: Options = { version: false, config: "", count: 3, waitMs: 250, fast: true, hosts: ["here"] };

// Where values come from

Deno.test("loadOptions() gives the defaults where nothing is said", () => {
  assertEquals(load([]), { options: DEFAULTS, warnings: [] });
});

Deno.test("loadOptions() prefers the file to defaults and flags to the file", () => {
  const { options } = load(["--max-count=5"], 'count = 4\nwait_time = "2s"\n');

  assertEquals(options, { ...DEFAULTS, count: 5, waitMs: 2000 });
});

Deno.test("loadOptions() does not append the flags of a list to the file's", () => {
  assertEquals(load(["--host=a"], 'hosts = ["b"]').options.hosts, ["a"]);
});

Deno.test("loadOptions() takes false from a flag over true from the file", () => {
  assertEquals(load(["--fast=false"], "fast = true").options.fast, false);
});

Deno.test("loadOptions() takes numbers and strings of the file by the rules of the kind", () => {
  assertEquals(load([], "wait_time = 1500\ncount = '7'\nhosts = 'a,b'\n").options, {
    ...DEFAULTS,
    waitMs: 1500,
    count: 7,
    hosts: ["a", "b"],
  });
});

Deno.test("loadOptions() reads a file with comments and lines that end as on Windows", () => {
  assertEquals(load([], "# a comment\r\n\r\n## more\r\ncount = 9 # end of line\r\n").options.count, 9);
});

Deno.test("loadOptions() keeps types: each option has that of its kind", () => {
  const { options } = load([]);
  const typed: { count: number; fast: boolean; hosts: readonly string[] } = options;
  // @ts-expect-error There is no such option in the table; without types this line would be an error itself.
  const missing: unknown = options.missing;

  assertEquals([typed.count, missing], [3, undefined]);
});

// What is ignored

Deno.test("loadOptions() warns of unknown keys and tables and starts", () => {
  assertEquals(load([], 'nothing = "x"\ncount = 9\n[section]\ncount = 1\n'), {
    options: { ...DEFAULTS, count: 9 },
    warnings: ['Unknown key "nothing" in "FILE" is ignored', 'Unknown key "section" in "FILE" is ignored'],
  });
});

Deno.test("loadOptions() takes a flag's name, or a flag without a key, for an unknown key", () => {
  assertEquals(load([], "max-count = 1\nversion = true\n").warnings, [
    'Unknown key "max-count" in "FILE" is ignored',
    'Unknown key "version" in "FILE" is ignored',
  ]);
});

Deno.test("loadOptions() warns of a number for a bool, which NSQ takes the wrong way round", () => {
  const { options, warnings } = load([], "fast = 1");

  assertEquals(options.fast, false);
  assertEquals(warnings, ['Key "fast" in "FILE" is true for 0 and false for other numbers, as in NSQ']);
});

Deno.test("loadOptions() warns of arguments behind the flags", () => {
  assertEquals(load(["-fast", "false", "--max-count=5"]), {
    options: DEFAULTS,
    warnings: ['Arguments are ignored from "false" on'],
  });
});

// Refusals

Deno.test("loadOptions() refuses a bad value of a flag by the flag's name", () => {
  assertThrows(
    () => load(["--max-count=lots"]),
    OptionError,
    'Bad value "lots" of flag --max-count: must be a whole number',
  );
});

Deno.test("loadOptions() refuses a bad value of a flag that a later one overrides", () => {
  assertThrows(() => load(["--max-count=lots", "--max-count=1"]), OptionError, "--max-count");
});

Deno.test("loadOptions() refuses a bad value of the file by the key's name and the file's", () => {
  assertThrows(
    () => load([], 'wait_time = "soon"'),
    OptionError,
    'Bad value "soon" of key "wait_time" in "FILE": invalid duration "soon"',
  );
});

Deno.test("loadOptions() passes over a byte order mark", () => {
  assertEquals(load([], "\uFEFFcount = 5\n").options, { ...DEFAULTS, count: 5 });
});

Deno.test("loadOptions() refuses a file with a key twice, and says where", () => {
  const error = assertThrows(() => load([], "count = 1\n\nfast = true\ncount = 2\n"), OptionError);

  assertEquals(
    error.message,
    'Cannot load configuration file "FILE": key "count" in line 4 is that of line 1 again',
  );
});

Deno.test("loadOptions() refuses a file with an option once with - and once with _", () => {
  const error = assertThrows(() => load([], "wait_time = 1\nwait-time = 2\n"), OptionError);

  assertStringIncludes(error.message, 'key "wait-time" in line 2 is that of line 1 again');
});

Deno.test("loadOptions() refuses a file that is no TOML", () => {
  assertThrows(
    () => load([], "this is = = not toml\n"),
    OptionError,
    'Cannot load configuration file "FILE"',
  );
});

Deno.test("loadOptions() refuses a file that is not there", () => {
  assertThrows(
    () => load(["--config=/no/such/file"]),
    OptionError,
    'Cannot load configuration file "/no/such/file"',
  );
});

Deno.test("exitOnOptionError() makes a refusal one line and exit code 1", () => {
  const exit = exitOnOptionError("prog", () => {
    throw new OptionError("Bad value: first\n  second\r\nthird");
  });

  assertEquals(exit, { kind: "exit", code: 1, text: "prog: Bad value: first second third" });
});

Deno.test("exitOnOptionError() lets other errors through", () => {
  assertThrows(() =>
    exitOnOptionError("prog", () => {
      throw new RangeError("a bug");
    }), RangeError);
});

// Help and version

Deno.test("loadOptions() answers --help with every flag, its default behind its description", () => {
  const loaded = loadOptions("prog", TABLE, ["--help"]);

  assertEquals(loaded, {
    kind: "exit",
    code: 0,
    text: `Usage of prog:
  --config <string>
          Path of a TOML configuration file; flags win over it.
  --fast
          How. (default true)
  --host <string list>
          Where. (default "here")
  --max-count <int>
          How many. (default 3)
  --version
          Print the version and exit.
  --wait-time <duration>
          How long. (default 250ms)`,
  });
});

Deno.test("loadOptions() answers --version with one line that starts with the program and NSQ's version", () => {
  const loaded = loadOptions("prog", TABLE, ["-version", "--config=/no/such/file"]);

  assertEquals(loaded.kind === "exit" && loaded.code, 0);
  assertMatch(
    loaded.kind === "exit" ? loaded.text : "",
    /^prog v1\.3\.0 \(built w\/deno\d+\.\d+\.\d+\) \(denosq v\d+\.\d+\.\d+\)$/,
  );
});

Deno.test("loadOptions() checks the other flags although --version is given", () => {
  const error = assertThrows(() => load(["--max-count=lots", "--version"]), OptionError);

  assertStringIncludes(error.message, "--max-count");
});

// By key

Deno.test("configValue() finds an option by its key, not by its flag or a flag without a key", () => {
  const value = (key: string) => configValue(TABLE, DEFAULTS, key);

  assertEquals(["count", "wait_time", "hosts"].map(value), [3, 250_000_000, ["here"]]);
  assertEquals(["max-count", "max_count", "version", "toString"].map(value), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test({
  name: "loadOptions() refuses to start where it may not find out a default, and starts where a flag says it",
  permissions: { sys: false },
  fn: () => {
    const table = {
      name: option({ flag: "name", kind: string, default: () => Deno.hostname(), description: "" }),
    };

    assertThrows(() => loadOptions("prog", table, []), OptionError, "Cannot find out the default of --name");
    assertEquals(loadOptions("prog", table, ["--name=x"]), {
      kind: "run",
      options: { name: "x" },
      warnings: [],
      rest: [],
    });
  },
});
