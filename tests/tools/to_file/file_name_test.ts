import { assertEquals, assertThrows } from "@std/assert";
import { FileNames, type NameOptions, strftime, withRev } from "../../../src/tools/to_file/file_name.ts";

const NOON = new Date(2026, 0, 5, 12, 3, 4).getTime();

function names(options: Partial<NameOptions> = {}): FileNames {
  return new FileNames({
    format: "<TOPIC>.<HOST><REV>.<DATETIME>.log",
    datetimeFormat: "%Y-%m-%d_%H",
    topic: "t",
    hostIdentifier: "",
    hostname: "host.example.com",
    pid: 42,
    hasRev: true,
    suffix: "",
    ...options,
  });
}

const body = (text: string) => new TextEncoder().encode(text);

Deno.test("FileNames makes NSQ's default name, with the host's short one and a revision", () => {
  assertEquals(withRev(names().at(NOON), 7), "t.host-000007.2026-01-05_12.log");
});

Deno.test("FileNames leaves the revision out where files have none", () => {
  assertEquals(names({ hasRev: false }).at(NOON), "t.host.2026-01-05_12.log");
});

Deno.test("FileNames replaces the process, and the host in an identifier", () => {
  const made = names({
    format: "<HOST>/<PID><REV>",
    hostIdentifier: "<SHORT_HOST>-of-<HOSTNAME>",
    suffix: ".gz",
  });

  assertEquals(withRev(made.at(NOON), 0), "host-of-host.example.com/42-000000.gz");
});

Deno.test("FileNames adds the suffix of compressed files once", () => {
  assertEquals(names({ format: "a<REV>.gz", suffix: ".gz" }).at(NOON), "a<REV>.gz");
});

Deno.test("FileNames demands <REV> where files have revisions", () => {
  assertThrows(() => names({ format: "a.log" }), SyntaxError, "missing <REV> in --filename-format");
});

Deno.test("FileNames replaces fields by what is in the body, and nothing there chooses a folder", () => {
  const made = names({ format: "<FIELD:.user.id>/<FIELD:kind>.log", hasRev: false });
  const at = (text: string) => made.at(NOON, body(text));

  assertEquals(at('{"user":{"id":5},"kind":"a"}'), "5/a.log");
  assertEquals(at('{"user":{"id":"../../etc"},"kind":".hidden\\u0000"}'), "__.._etc/_hidden_.log");
  assertEquals(at("no json"), "_/_.log");
  assertEquals(at(`{"user":{"id":"${"x".repeat(101)}"}}`), `${"x".repeat(100)}/_.log`);
});

Deno.test("FileNames finds its own files of other times, revisions and processes, and no others", () => {
  const made = names({ format: "<TOPIC>/<HOST>.<PID><REV>.<DATETIME>.log", suffix: ".gz" });

  assertEquals(made.find("t/host.977-000012.2025-12-31_23.log.gz"), {
    name: "t/host.977<REV>.2025-12-31_23.log.gz",
    rev: 12,
  });
  assertEquals(made.find("t/host.977-000012.2025-12-31_23.log"), undefined);
  assertEquals(made.find("t2/host.977-000012.2025-12-31_23.log.gz"), undefined);
  assertEquals(made.find("t/other.977-000012.2025-12-31_23.log.gz"), undefined);
  assertEquals(made.depth, 1);
});

Deno.test("FileNames finds files that have the revision more than once", () => {
  const made = names({ format: "a<REV>/b<REV>" });

  assertEquals(made.find("a-000003/b-000003"), { name: "a<REV>/b<REV>", rev: 3 });
  assertEquals(made.find("a-000003/b-000004"), undefined);
});

Deno.test("FileNames knows whether a name may be one of now, whatever the fields are", () => {
  const made = names({ format: "<FIELD:.a>.<DATETIME>", hasRev: false });
  const name = made.at(NOON, body('{"a":"x"}'));

  assertEquals(made.mayBe(name, NOON + 60_000), true);
  assertEquals(made.mayBe(name, NOON + 3_600_000), false);
});

for (
  const [format, text] of [
    ["%Y %y %m %d", "2026 26 01 05"],
    ["%B %b %A %a", "January Jan Monday Mon"],
    ["%H %I %p %M %S", "12 12 PM 03 04"],
    ["%% %q %", "% %q %"],
  ]
) {
  Deno.test(`strftime() makes ${text} of ${format}`, () => {
    assertEquals(strftime(format, new Date(NOON)), text);
  });
}

Deno.test("strftime() tells the offset from UTC", () => {
  const minutes = -new Date(NOON).getTimezoneOffset();
  const hours = String(Math.floor(Math.abs(minutes) / 60)).padStart(2, "0");
  const rest = String(Math.abs(minutes) % 60).padStart(2, "0");

  assertEquals(strftime("%z", new Date(NOON)), `${minutes < 0 ? "-" : "+"}${hours}${rest}`);
});
