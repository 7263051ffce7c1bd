import { assert, assertEquals, assertThrows } from "@std/assert";
import { AUDIT_TEXT_LENGTH_MAX, AuditLog } from "../../src/base/audit_log.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A log for operators, and what has been written to it, without times. */
function keptLog(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.replace(/^\d{4}\/\d\d\/\d\d \S+ /, ""));
  return { logger: new Logger({ prefix: "", level: LOG_LEVELS.info, write }), lines };
}

/** A test with an audit log in a file of its own. */
function auditTest(
  name: string,
  test: (audit: AuditLog, path: string, lines: string[]) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "denosq_audit_" });
    try {
      const { logger, lines } = keptLog();
      const path = `${folder}/audit.log`;
      const audit = AuditLog.open({ to: path, program: "testd", logger, clock: new FakeClock() });
      await test(audit, path, lines);
      await audit.close(1000);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

auditTest("AuditLog.note() writes an object a line, without what is undefined", async (audit, path) => {
  audit.note({ event: "admin", address: "127.0.0.1:1", token: undefined, status: 200, tls: false });
  audit.note({ event: "refused" });
  await audit.close(1000);

  assertEquals(
    await Deno.readTextFile(path),
    '{"time":"2024-01-31T12:00:00.000Z","program":"testd","event":"admin","address":"127.0.0.1:1","status":200,"tls":false}\n' +
      '{"time":"2024-01-31T12:00:00.000Z","program":"testd","event":"refused"}\n',
  );
});

auditTest("AuditLog adds to a file that only its user can read", async (audit, path) => {
  audit.note({ event: "first" });
  await audit.close(1000);
  const { logger } = keptLog();
  const again = AuditLog.open({ to: path, program: "testd", logger, clock: new FakeClock() });
  again.note({ event: "second" });
  await again.close(1000);

  assertEquals((await Deno.readTextFile(path)).split("\n").length, 3);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

auditTest(
  "AuditLog.note() escapes what a stranger has written, and it is read back as it was",
  async (audit, path) => {
    const target = '/x"\n{"event":"forged"}\x1b[31m\x9b\u2028\u202e\u{1f600}';
    audit.note({ event: "refused", target });
    await audit.close(1000);

    const text = await Deno.readTextFile(path);
    assertEquals(/[\p{Cc}\p{Zl}\u202e]/u.test(text.slice(0, -1)), false);
    assertEquals(JSON.parse(text).target, target);
  },
);

for (const more of [0, 1]) {
  auditTest(
    `AuditLog.note() ${more === 0 ? "keeps" : "cuts"} a text of ${AUDIT_TEXT_LENGTH_MAX + more} characters`,
    async (audit, path) => {
      audit.note({ event: "refused", target: "x".repeat(AUDIT_TEXT_LENGTH_MAX + more) });
      await audit.close(1000);

      const { target } = JSON.parse(await Deno.readTextFile(path));
      assertEquals(target, "x".repeat(AUDIT_TEXT_LENGTH_MAX) + (more === 0 ? "" : "…"));
    },
  );
}

auditTest(
  "AuditLog.prepare() lets lines go to a new file of the same name once it is applied",
  async (audit, path) => {
    audit.note({ event: "before" });
    await eventually("it is written", async () => (await Deno.readTextFile(path)).length > 0);
    await Deno.rename(path, `${path}.1`);
    audit.note({ event: "renamed" });
    await eventually("it is written", async () => (await Deno.readTextFile(`${path}.1`)).includes("renamed"));

    audit.prepare()();
    audit.note({ event: "after" });
    await audit.close(1000);

    assertEquals(events(await Deno.readTextFile(`${path}.1`)), ["before", "renamed"]);
    assertEquals(events(await Deno.readTextFile(path)), ["after"]);
  },
);

auditTest(
  "AuditLog.prepare() says why there can be no new file, and goes on with the old one",
  async (audit, path) => {
    audit.note({ event: "before" });
    await eventually("it is written", async () => (await Deno.readTextFile(path)).length > 0);
    await Deno.rename(path, `${path}.1`);
    await Deno.mkdir(path);

    assertThrows(() => audit.prepare(), Error, `Cannot open audit log "${path}": `);
    audit.note({ event: "after" });
    await audit.close(1000);

    assertEquals(events(await Deno.readTextFile(`${path}.1`)), ["before", "after"]);
  },
);

Deno.test("AuditLog.open() says why there can be no file", () => {
  const { logger } = keptLog();
  const open = () =>
    AuditLog.open({ to: "/no/such/audit.log", program: "x", logger, clock: new FakeClock() });

  assertThrows(open, Error, 'Cannot open audit log "/no/such/audit.log": No such file');
});

Deno.test("AuditLog writes among the lines of the log when it is to go to stderr", async () => {
  const { logger, lines } = keptLog();
  const audit = AuditLog.open({ to: "stderr", program: "testd", logger, clock: new FakeClock() });

  audit.note({ event: "admin" });
  audit.prepare()();
  logger.info("x");
  await audit.close(1000);

  assertEquals(lines, ['{"time":"2024-01-31T12:00:00.000Z","program":"testd","event":"admin"}', "INFO: x"]);
});

Deno.test("AuditLog says once that a disk is full, and goes on", async () => {
  // A device that refuses every write as a full disk does.
  if (Deno.build.os !== "linux") return;
  const { logger, lines } = keptLog();
  const audit = AuditLog.open({ to: "/dev/full", program: "testd", logger, clock: new FakeClock() });

  audit.note({ event: "one" });
  await eventually("it is said", () => lines.length > 0);
  audit.note({ event: "two" });
  await audit.close(1000);

  assertEquals(lines.length, 1);
  assert(
    /^ERROR: AUDIT: failed to write to \/dev\/full, events are dropped - No space left/.test(lines[0]),
    lines[0],
  );
});

function events(text: string): string[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line).event);
}
