import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { MessageRoom } from "../../src/nsqd/message_room.ts";

const MIB = 2 ** 20;

/** Room for 100 MiB, of which so many bytes are used. */
function setup() {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
  const state = { usedBytes: 0, measured: 0 };
  const usedBytes = () => {
    state.measured++;
    return state.usedBytes;
  };
  const room = new MessageRoom({ limitBytes: 100 * MIB, usedBytes, logger });
  return { room, state, lines };
}

for (
  const [sizeBytes, fits] of [
    [100 * MIB - 1, true],
    [100 * MIB, true],
    [100 * MIB + 1, false],
  ] as const
) {
  Deno.test(`MessageRoom ${fits ? "has" : "does not have"} room for ${sizeBytes} of 104857600 bytes`, () => {
    const { room } = setup();

    assertEquals(room.take(sizeBytes), fits);
  });
}

Deno.test("MessageRoom counts what has come since it was measured", () => {
  const { room, state } = setup();

  const taken = [room.take(60 * MIB), room.take(40 * MIB)];
  state.usedBytes = 100 * MIB;

  assertEquals([...taken, room.take(1)], [true, true, false]);
});

Deno.test("MessageRoom has room again for what was finished, from the next look on", () => {
  const { room, state } = setup();
  room.take(100 * MIB);
  state.usedBytes = 100 * MIB;
  assertEquals(room.take(1), false);

  state.usedBytes = 99 * MIB;
  assertEquals(room.take(MIB), false);
  room.look();
  assertEquals(room.take(MIB), true);
  state.usedBytes = 100 * MIB;

  assertEquals(room.take(1), false);
});

Deno.test("MessageRoom measures once between two looks, however often it refuses", () => {
  const { room, state } = setup();
  room.take(100 * MIB);
  state.usedBytes = 100 * MIB;

  for (let i = 0; i < 1000; i++) room.take(1);
  assertEquals(state.measured, 1);
  room.look();
  for (let i = 0; i < 1000; i++) room.take(1);

  assertEquals(state.measured, 3);
});

Deno.test("MessageRoom says once that it is full, and once that it is not any more", () => {
  const { room, state, lines } = setup();
  room.take(100 * MIB);
  state.usedBytes = 100 * MIB;
  room.take(1);
  room.take(1);
  state.usedBytes = 50 * MIB;
  room.look();
  room.take(1);
  room.take(1);

  assertEquals(lines, [
    "WARNING: MEMORY: messages take 100.0 of 100.0 MiB, and what does not fit is refused until some are finished",
    "INFO: MEMORY: messages take 50.0 of 100.0 MiB, more are taken again",
  ]);
});
