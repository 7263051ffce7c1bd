import { assertEquals } from "@std/assert";
import { isDisconnect } from "../../src/net/connection.ts";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { EndedError } from "../support/frames_client.ts";
import { interopTest, TempFolder } from "../support/interop.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import { play, SCENARIOS, withFewFiles } from "./campaign.ts";

/** Fewer descriptors than connections that come. */
const DESCRIPTORS = 150;
const CONNECTIONS = 300;

for (const scenario of SCENARIOS) {
  // What is missing is found out on the way.
  const nothing = () => Promise.resolve(new AsyncDisposableStack());
  interopTest(`${scenario.program} goes on serving others: ${scenario.name}`, nothing, async () => {
    await play(scenario, { rounds: 1, seed: 1 });
  });
}

for (const program of ["nsqd", "nsqlookupd"]) {
  for (const protocol of ["TCP", "HTTP"]) {
    Deno.test(`${program} survives more ${protocol} connections than files when it cannot know how many these are`, async () => {
      await using folder = await TempFolder.make();
      await using daemon = startWithFewFiles(program, folder.path);
      // Both, before anybody comes: a start that finds no file left is none.
      const tcpPort = Number(await daemon.logged(/TCP: listening on \S+:(\d+)\n/));
      const httpPort = Number(await daemon.logged(/HTTP: listening on \S+:(\d+)\n/));

      const connections = await connectAll(protocol === "TCP" ? tcpPort : httpPort);
      await daemon.logged(new RegExp(`(WARNING: ${protocol}: temporary Accept\\(\\) failure)`));
      for (const connection of connections) connection.close();

      await eventually("an answer", () => answers(httpPort));
      daemon.kill("SIGTERM");
      assertEquals(await daemon.ended(), 0);
    });
  }
}

/** A daemon that may open few files. How many is told in /proc, which is not for it to read. */
function startWithFewFiles(program: string, folder: string): ChildDaemon {
  const [deno, run, , main] = programCommand(program);
  const permissions = [
    "--no-prompt",
    "--allow-net",
    "--allow-sys",
    `--allow-read=${folder}`,
    `--allow-write=${folder}`,
  ];
  const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
  const flags = [...addresses, ...program === "nsqd" ? [`--data-path=${folder}`] : []];
  return new ChildDaemon(withFewFiles([deno, run, ...permissions, main, program, ...flags], DESCRIPTORS));
}

async function connectAll(port: number): Promise<Deno.Conn[]> {
  const connections: Deno.Conn[] = [];
  for (let i = 0; i < CONNECTIONS; i++) connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  return connections;
}

async function answers(port: number): Promise<boolean> {
  using client = await RawHttpClient.to({ port });
  try {
    await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
    return (await client.head()).startsWith("HTTP/1.1 200 OK\r\n");
  } catch (error) {
    // There are too many still.
    if (error instanceof EndedError || isDisconnect(error)) return false;
    throw error;
  }
}
