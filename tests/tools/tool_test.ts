import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { int } from "../../src/config/kind.ts";
import { option } from "../../src/config/option.ts";
import { TOOL_OPTIONS } from "../../src/tools/options.ts";
import { type Tool, ToolError, whenAborted } from "../../src/tools/tool.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const TABLE = {
  ...TOOL_OPTIONS,
  count: option({ flag: "count", key: null, kind: int, default: 3, description: "How many." }),
};

function tool(run: Tool<typeof TABLE>["run"]): Tool<typeof TABLE> {
  return { name: "nsq_try", table: TABLE, run };
}

const NEVER_RUN = tool(() => {
  throw new Error("it was not to run");
});

Deno.test("runTool() ends with what the tool ends with", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(tool(() => Promise.resolve(124))), 124);
  assertEquals([world.out, world.err], ["", ""]);
});

Deno.test("runTool() refuses an unknown flag with exit code 2, and names the nearest that there is", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(NEVER_RUN, "--cuont=4"), 2);
  assertEquals(world.errLines, [
    "nsq_try: Unknown flag: --cuont; did you mean --count?",
    "nsq_try --help lists the flags.",
  ]);
});

Deno.test("runTool() refuses a bad value with exit code 2", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(NEVER_RUN, "--count=many"), 2);
  assertStringIncludes(world.err, 'Bad value "many" of flag --count: must be a whole number');
});

for (const [flag, text] of [["--help", "Usage of nsq_try:"], ["--version", "nsq_try v1.3.0 "]]) {
  Deno.test(`runTool() answers ${flag} on standard output, with exit code 0`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NEVER_RUN, flag), 0);
    assertEquals([world.out.startsWith(text), world.out.endsWith("\n"), world.err], [true, true, ""]);
  });
}

Deno.test("runTool() makes a line in the form of Go's log of why a tool cannot, and ends with its code", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(tool(() => Promise.reject(new ToolError("--topic required")))), 1);
  assertMatch(world.err, /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d --topic required\n$/);
});

Deno.test("runTool() shows where a fault of its own is", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(tool(() => Promise.reject(new TypeError("a is undefined")))), 1);
  assertStringIncludes(world.err, "tool_test.ts");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`runTool() lets ${signal} stop the tool in order`, async () => {
    const world = new FakeToolWorld();

    const running = world.run(tool(async (_options, { stop }) => {
      await whenAborted(stop);
      return 0;
    }));
    world.send(signal);

    assertEquals(await running, 0);
    assertEquals([world.exits, world.listensTo(signal)], [[], false]);
  });
}

Deno.test("runTool() ends at once when SIGINT comes again", async () => {
  const world = new FakeToolWorld();
  const end = Promise.withResolvers<0>();

  const running = world.run(tool(() => end.promise));
  world.send("SIGINT");
  world.send("SIGINT");

  assertEquals(world.exits, [130]);
  end.resolve(0);
  await running;
});

Deno.test("runTool() listens to other signals only for a tool that wants to know of them", async () => {
  const world = new FakeToolWorld();
  let heard = 0;

  await world.run(tool((_options, { onSignal }) => {
    onSignal("SIGHUP", () => heard++);
    world.send("SIGHUP");
    return Promise.resolve(0);
  }));

  assertEquals([heard, world.listensTo("SIGHUP")], [1, false]);
});

Deno.test("runTool() warns of arguments that are no flags, and not with --quiet", async () => {
  const loud = new FakeToolWorld();
  const quiet = new FakeToolWorld();

  await loud.run(tool(() => Promise.resolve(0)), "stray");
  await quiet.run(tool(() => Promise.resolve(0)), "--quiet", "stray");

  assertEquals(loud.errLines, ['Arguments are ignored from "stray" on']);
  assertEquals(quiet.err, "");
});

Deno.test("ToolLog shows progress in one line below the others, on a terminal only", async () => {
  const seen = new FakeToolWorld({ terminals: ["stderr"] });
  const unseen = new FakeToolWorld();
  const shows = tool((_options, { log }) => {
    log.progress("one");
    log.progress("two");
    log.plain("a line");
    return Promise.resolve(0);
  });

  await seen.run(shows);
  await unseen.run(shows);

  assertEquals(seen.err, "one\n\x1b[A\r\x1b[Ktwo\n\x1b[A\r\x1b[Ka line\ntwo\n");
  assertEquals(unseen.err, "a line\n");
});
