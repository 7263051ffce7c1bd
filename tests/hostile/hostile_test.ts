import { assertEquals } from "@std/assert";
import { certificateTest } from "../support/certificates.ts";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import { play, SCENARIOS } from "./campaign.ts";

/** Fewer descriptors than connections that come. */
const DESCRIPTORS = 150;
const CONNECTIONS = 300;

for (const scenario of SCENARIOS) {
  const test = scenario.onHttps ? certificateTest : Deno.test;
  test(`${scenario.program} goes on serving others: ${scenario.name}`, async () => {
    await play(scenario, { rounds: 1, seed: 1 });
  });
}

for (const program of ["nsqd", "nsqlookupd"]) {
  for (const protocol of ["TCP", "HTTP"]) {
    for (const knowing of [true, false]) {
      const knowledge = knowing ? "" : ", also when it cannot know how many these are";
      Deno.test(`${program} survives more ${protocol} connections than files it may open${knowledge}`, async () => {
        const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
        try {
          await using daemon = startWithFewFiles(program, folder, knowing);
          const port = Number(await daemon.logged(new RegExp(`${protocol}: listening on \\S+:(\\d+)\n`)));
          const httpPort = Number(await daemon.logged(/HTTP: listening on \S+:(\d+)\n/));

          const connections = await connectAll(port);
          if (!knowing) {
            await daemon.logged(new RegExp(`(WARNING: ${protocol}: temporary Accept\\(\\) failure)`));
          }
          for (const connection of connections) connection.close();

          await eventually("an answer", () => answers(httpPort));
          daemon.kill("SIGTERM");
          assertEquals(await daemon.ended(), 0);
        } finally {
          await Deno.remove(folder, { recursive: true });
        }
      });
    }
  }
}

/** A daemon that may open few files. How many is told in /proc, which is not for everybody to read. */
function startWithFewFiles(program: string, folder: string, knowing: boolean): ChildDaemon {
  const [deno, run, , main] = programCommand(program);
  const few = [
    "--no-prompt",
    "--allow-net",
    "--allow-sys",
    `--allow-read=${folder}`,
    `--allow-write=${folder}`,
  ];
  const permissions = knowing ? ["-A"] : few;
  const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  const flags = [...addresses, ...program === "nsqd" ? [`--data-path=${folder}`] : []];
  const limited = ["sh", "-c", `ulimit -n ${DESCRIPTORS} && exec "$@"`, "sh"];
  return new ChildDaemon([...limited, deno, run, ...permissions, main, program, ...flags]);
}

async function connectAll(port: number): Promise<Deno.Conn[]> {
  const connections: Deno.Conn[] = [];
  for (let i = 0; i < CONNECTIONS; i++) connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  return connections;
}

async function answers(port: number): Promise<boolean> {
  using client = await RawHttpClient.to({ port });
  await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  return (await client.head()).startsWith("HTTP/1.1 200 OK\r\n");
}
