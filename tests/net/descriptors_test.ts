import { assert, assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import {
  connectionsPossible,
  dealConnections,
  descriptorLimit,
  possibleLimits,
} from "../../src/net/descriptors.ts";

Deno.test("descriptorLimit() is this process's", async () => {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).output();

  const limit = descriptorLimit();

  // The runtime has raised its own to what it may have.
  assert(
    limit !== undefined && limit >= Number(new TextDecoder().decode(stdout)) || Deno.build.os !== "linux",
  );
});

Deno.test("connectionsPossible() leaves files and a reserve of 128 alone, but gives a quarter all the same", () => {
  assertEquals(
    [[10_000, 1000], [1024, 800], [256, 0], [256, 400]].map(([limit, files]) => {
      return connectionsPossible(limit, files);
    }),
    [8872, 256, 128, 64],
  );
});

Deno.test("dealConnections() gives what is wanted where there is enough", () => {
  const wanted = { TCP: { max: 60, perAddressMax: 30 }, HTTP: { max: 40, perAddressMax: 0 } };

  assertEquals(dealConnections(100, wanted), wanted);
});

Deno.test("dealConnections() gives each the same part of what it could have where there is not enough", () => {
  const wanted = { TCP: { max: 100, perAddressMax: 50 }, HTTP: { max: 50, perAddressMax: 0 } };

  assertEquals(dealConnections(75, wanted), {
    TCP: { max: 45, perAddressMax: 30 },
    HTTP: { max: 30, perAddressMax: 0 },
  });
});

Deno.test("dealConnections() takes 0 for as many as there are, and makes no limit of a small part", () => {
  const wanted = { TCP: { max: 0, perAddressMax: 0 }, ADMIN: { max: 1, perAddressMax: 1 } };

  assertEquals(dealConnections(1000, wanted), {
    TCP: { max: 999, perAddressMax: 0 },
    ADMIN: { max: 1, perAddressMax: 1 },
  });
});

Deno.test("possibleLimits() says in the log what it has cut", () => {
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.info,
    write: (line) => lines.push(line.slice(27)),
  });
  const wanted = { TCP: { max: 1e9, perAddressMax: 0 } };
  const limit = descriptorLimit() ?? 0;

  const { TCP } = possibleLimits(wanted, { files: 0, logger });
  possibleLimits({ TCP: { max: 1, perAddressMax: 0 } }, { files: 0, logger });

  assertEquals(TCP.max, connectionsPossible(limit, 0));
  assertEquals(lines, [
    `INFO: Connections at a time, of the ${limit} files that may be open: TCP ${TCP.max}`,
  ]);
});
