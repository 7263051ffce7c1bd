import { assertEquals, assertThrows } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { TopicError, TopicOpener } from "../../../src/nsqd/node/topic_opener.ts";

function opener(error: Error) {
  const lines: string[] = [];
  const unopened: unknown[] = [];
  const write = (line: string) => void lines.push(line.slice(27));
  const refuse = (): never => {
    throw error;
  };
  const made = new TopicOpener({
    broker: { topics: new Map(), topic: refuse },
    stores: { open: refuse },
    logger: new Logger({ prefix: "", level: LOG_LEVELS.info, write }),
    health: { unopened: (cause) => void unopened.push(cause) },
  });
  return { made, lines, unopened };
}

for (const code of ["EMFILE", "EACCES", "ENOTDIR", "ENFILE", "EIO"]) {
  Deno.test(`TopicOpener.open() says why, and to whom it matters, when the system says ${code}`, () => {
    const error = Object.assign(new Error("the system's words"), { code });
    const { made, lines, unopened } = opener(error);

    assertThrows(() => made.open("t"), TopicError, "the system's words");
    assertEquals(lines, ["ERROR: TOPIC(t): failed to open - the system's words"]);
    assertEquals(unopened, [error]);
  });
}

Deno.test("TopicOpener.open() takes no fault of ours for the system's", () => {
  const { made, lines, unopened } = opener(new TypeError("x is undefined"));

  assertThrows(() => made.open("t"), TypeError, "x is undefined");
  assertEquals([lines, unopened], [[], []]);
});
