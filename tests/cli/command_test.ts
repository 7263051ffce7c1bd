import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runCommand } from "../../src/cli/command.ts";
import type { Program } from "../../src/cli/programs.ts";
import { Variables } from "../support/variables.ts";

interface Outcome {
  readonly code: number;
  readonly ran: readonly string[];
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/** Calls an executable that holds the programs `nsqd` and `nsq_tail`; both end with exit code 7. */
async function call(calledAs: string, ...args: string[]): Promise<Outcome> {
  const ran: string[] = [];
  const out: string[] = [];
  const err: string[] = [];
  const programs: Program[] = ["nsqd", "nsq_tail"].map((name) => ({
    name,
    summary: `what ${name} does`,
    run: (given) => {
      ran.push(name, ...given);
      return Promise.resolve(7);
    },
  }));
  const output = { out: (text: string) => out.push(text), err: (text: string) => err.push(text) };
  const code = await runCommand({ calledAs, args }, { programs, output });
  return { code, ran, out, err };
}

Deno.test("runCommand() runs the program that the first argument names, with the others", async () => {
  const { code, ran } = await call("denosq", "nsq_tail", "--topic=x", "nsqd");

  assertEquals([code, ...ran], [7, "nsq_tail", "--topic=x", "nsqd"]);
});

for (const link of ["nsqd", "/usr/local/bin/nsqd", "./nsqd", "C:\\bin\\nsqd.exe"]) {
  Deno.test(`runCommand() runs the program that the link ${link} is named after, with all arguments`, async () => {
    const { ran } = await call(link, "nsq_tail", "--version");

    assertEquals(ran, ["nsqd", "nsq_tail", "--version"]);
  });
}

Deno.test("runCommand() refuses an unknown program in one line that lists those there are", async () => {
  assertEquals(await call("denosq", "nsq_stat", "--topic=x"), {
    code: 1,
    ran: [],
    out: [],
    err: ['denosq: no program "nsq_stat"; there is: nsqd, nsq_tail'],
  });
});

Deno.test("runCommand() refuses a call without a program", async () => {
  const { code, err } = await call("denosq");

  assertEquals([code, ...err], [1, "denosq: no program given; there is: nsqd, nsq_tail"]);
});

Deno.test("runCommand() takes no inherited property for a program", async () => {
  assertEquals((await call("constructor", "toString")).code, 1);
});

for (const flag of ["--help", "-help", "-h"]) {
  Deno.test(`runCommand() answers ${flag} with the programs`, async () => {
    const { code, out } = await call("denosq", flag);

    assertEquals(code, 0);
    assertStringIncludes(out[0], "  nsqd      what nsqd does\n  nsq_tail  what nsq_tail does\n");
  });
}

for (const flag of ["--version", "-version"]) {
  Deno.test(`runCommand() answers ${flag} with its own version in one line`, async () => {
    const { code, out } = await call("denosq", flag);

    assertEquals([code, out.length], [0, 1]);
    assertMatch(out[0], /^denosq v\d+\.\d+\.\d+ \(NSQ v1\.3\.0, Deno \d+\.\d+\.\d+\)$/);
  });
}

Deno.test("runCommand() runs nsqd where nothing is asked for on Deno Deploy", async () => {
  using _platform = new Variables({ DENO_DEPLOY: "true" });

  const { code, ran } = await call("denosq");

  assertEquals([code, ...ran], [7, "nsqd"]);
});
