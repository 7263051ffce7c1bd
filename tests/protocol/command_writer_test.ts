import { assertEquals } from "@std/assert";
import { Output } from "../../src/net/output.ts";
import {
  type ByteSink,
  writeBodyCommand,
  writeCommand,
  writeFin,
  writeMpub,
  writeReq,
  writeTouch,
} from "../../src/protocol/command_writer.ts";
import { bytesOf, textOf } from "../support/frames.ts";

/** An id that does not lie at the beginning of its bytes. */
const ID = { bytes: bytesOf("..0123456789abcdef.."), idOffset: 2 };

const COMMANDS: readonly (readonly [write: (sink: ByteSink) => void, bytes: string])[] = [
  [(sink) => writeCommand(sink, "NOP"), "NOP\n"],
  [(sink) => writeCommand(sink, "RDY 200"), "RDY 200\n"],
  [(sink) => writeBodyCommand(sink, "PUB orders", bytesOf("body")), "PUB orders\n\0\0\0\x04body"],
  [(sink) => writeBodyCommand(sink, "AUTH", bytesOf("")), "AUTH\n\0\0\0\0"],
  [
    (sink) => writeMpub(sink, "orders", [bytesOf("one"), bytesOf("three")]),
    "MPUB orders\n\0\0\0\x14\0\0\0\x02\0\0\0\x03one\0\0\0\x05three",
  ],
  [(sink) => writeFin(sink, ID), "FIN 0123456789abcdef\n"],
  [(sink) => writeTouch(sink, ID), "TOUCH 0123456789abcdef\n"],
  [(sink) => writeReq(sink, ID, 0), "REQ 0123456789abcdef 0\n"],
  [(sink) => writeReq(sink, ID, 90_000), "REQ 0123456789abcdef 90000\n"],
];

for (const [write, bytes] of COMMANDS) {
  Deno.test(`Commands are written as they are on the wire: ${JSON.stringify(bytes)}`, () => {
    const output = new Output();

    write(output);

    assertEquals(textOf(output.take()), bytes);
  });
}

Deno.test("Commands are written one behind the other, whatever room there is", () => {
  const output = new Output();

  for (let i = 0; i < 200; i++) for (const [write] of COMMANDS) write(output);

  assertEquals(textOf(output.take()), COMMANDS.map(([, bytes]) => bytes).join("").repeat(200));
});
