import { assert, assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { fileURLToPath } from "node:url";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { SerfAgent, type SerfAgentOptions } from "../../src/cluster/serf_agent.ts";
import type { SerfEndpoint } from "../../src/cluster/serf_client.ts";
import { eventually } from "../support/eventually.ts";
import { FakeTimers } from "../support/fake_timers.ts";

/** Stands in for an agent that runs until it is told to leave. */
const WELL_BEHAVED = `
  trap 'kill $!; echo "    2024/01/31 23:59:59 [INFO] agent: left"; exit 0' INT
  sleep 60 >/dev/null 2>&1 &
  echo "==> Serf agent running!"
  wait
`;

/** Stands in for one that can be killed, and ends at once when it is told to leave. */
const RUNNING = 'echo "==> Serf agent running!"; exec sleep 60';

interface AgentTest {
  readonly agent: SerfAgent;
  readonly timers: FakeTimers;
  /** Lines of the log. */
  readonly lines: string[];
  /** The folder of the executable. */
  readonly folder: string;
  /** What the executable was started with, one run each. */
  readonly runs: () => { path: string; config: Record<string, unknown>; mode: number }[];
  /** Makes the agent leave, and waits for its end. */
  readonly stop: () => Promise<void>;
}

/** A test with an agent whose executable is a shell script. */
function agentTest(name: string, script: string | null, test: (context: AgentTest) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
    const executable = `${folder}/serf`;
    if (script !== null) await writeScript(executable, folder, script);
    const lines: string[] = [];
    const logger = new Logger({
      prefix: "",
      level: LOG_LEVELS.debug,
      write: (line) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length).replace(/\d{3,}/g, "#")),
    });
    const timers = new FakeTimers();
    const agent = new SerfAgent({ ...OPTIONS, executable }, { logger, timers });
    const controller = new AbortController();
    const running = agent.run(controller.signal);
    const stop = () => {
      controller.abort();
      return running;
    };
    try {
      await test({ agent, timers, lines, folder, runs: () => runsIn(folder), stop });
    } finally {
      await stop();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const OPTIONS: SerfAgentOptions = {
  executable: "",
  nodeName: "a:4150",
  bindAddress: "127.0.0.1:7946",
  advertiseAddress: "a:7946",
  tags: { role: "nsqd" },
  encryptKey: "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4=",
};

agentTest(
  "SerfAgent.run() starts an agent with a configuration for its eyes only",
  WELL_BEHAVED,
  async (test) => {
    const endpoint = await endpointOf(test.agent);

    const [{ path, config, mode }] = test.runs();
    assertEquals(mode, 0o600);
    assertEquals(config, {
      node_name: "a:4150",
      bind: "127.0.0.1:7946",
      advertise: "a:7946",
      tags: { role: "nsqd" },
      encrypt_key: "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4=",
      rpc_addr: `127.0.0.1:${endpoint.port}`,
      rpc_auth: endpoint.authKey,
      log_level: "DEBUG",
      reconnect_timeout: "1h",
      broadcast_timeout: "1s",
      leave_on_terminate: true,
    });
    assertEquals(endpoint.authKey.length, 64);
    await eventually("the configuration is gone", () => !exists(path));
    await eventually("so is its folder", () => !exists(path.slice(0, path.lastIndexOf("/"))));
  },
);

agentTest("SerfAgent.run() makes the agent leave when it is to stop", WELL_BEHAVED, async (test) => {
  await endpointOf(test.agent);

  await test.stop();

  assertEquals(test.lines, [
    "DEBUG: SERF: ==> Serf agent running!",
    "INFO: SERF: agent # runs",
    "DEBUG: SERF: agent: left",
  ]);
  assertEquals(await test.agent.endpoint(), undefined);
  assertEquals(test.agent.pid, undefined);
});

agentTest("SerfAgent.run() keeps a terminal's Ctrl-C from the agent", RUNNING, async (test) => {
  await endpointOf(test.agent);

  // Ctrl-C goes to all processes of the terminal's process group; the fifth field is a process's group.
  const stat = await Deno.readTextFile(`/proc/${test.agent.pid}/stat`);
  assertEquals(Number(stat.split(" ")[4]), test.agent.pid);
});

agentTest("SerfAgent.retire() takes the end of an agent as the last", WELL_BEHAVED, async (test) => {
  await endpointOf(test.agent);
  assert(test.agent.pid !== undefined);

  test.agent.retire();
  // As a service manager does, to all processes of a service.
  Deno.kill(test.agent.pid, "SIGINT");
  await eventually("it has ended", () => test.agent.pid === undefined);

  assertEquals(await test.agent.endpoint(), undefined);
  assertEquals(test.runs().length, 1);
  assertEquals(test.lines.filter((line) => line.startsWith("ERROR")), []);
});

agentTest(
  "SerfAgent.run() ends an agent that does not leave in time",
  `trap '' INT; ${RUNNING}`,
  async (test) => {
    await endpointOf(test.agent);
    const stopped = test.stop();

    await eventually("it has the time to leave", () => assertEquals(test.timers.sleeping, [5000]) ?? true);
    test.timers.advance(5000);
    await stopped;

    assertEquals(test.lines.at(-1), "ERROR: SERF: agent has not left within 5s");
  },
);

agentTest(
  "SerfAgent.run() starts an agent that ends again, and waits longer each time",
  'echo "==> Failed to start the Serf agent: no luck" >&2; exit 1',
  async (test) => {
    for (const delayMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      await eventually("it waits", () => assertEquals(test.timers.sleeping, [delayMs]) ?? true);
      test.timers.advance(delayMs);
    }
    await eventually("it waits", () => assertEquals(test.timers.sleeping, [60_000]) ?? true);

    const problem = "agent ended with code 1 - Failed to start the Serf agent: no luck";
    assertEquals(test.agent.problem, problem);
    assertEquals(test.agent.restartCount, 8);
    assertEquals(test.lines.slice(0, 4), [
      "ERROR: SERF: Failed to start the Serf agent: no luck",
      `ERROR: SERF: ${problem}; trying again in 1s`,
      "ERROR: SERF: Failed to start the Serf agent: no luck",
      `ERROR: SERF: ${problem}; trying again in 2s`,
    ]);
    // None leaves its secrets behind.
    assertEquals(test.runs().filter(({ path }) => exists(path)), []);
  },
);

agentTest(
  "SerfAgent.run() starts an agent that was killed again, with another port and key",
  RUNNING,
  async (test) => {
    const first = await endpointOf(test.agent);
    assert(test.agent.pid !== undefined);

    Deno.kill(test.agent.pid, "SIGKILL");
    await eventually("it waits", () => assertEquals(test.timers.sleeping, [1000]) ?? true);
    assertEquals(test.agent.problem, "agent ended with SIGKILL");
    test.timers.advance(1000);
    const second = await endpointOf(test.agent);

    assertEquals(test.agent.problem, undefined);
    assert(second.authKey !== first.authKey);
    assertEquals(test.lines.filter((line) => line.startsWith("ERROR")), [
      "ERROR: SERF: agent ended with SIGKILL; trying again in 1s",
    ]);
  },
);

agentTest(
  "SerfAgent.run() waits a short time again after an agent has run for long",
  `
    echo "==> Serf agent running!"
    if [ "$n" = 2 ]; then until [ -e "$FOLDER/end" ]; do sleep 0.01; done; fi
    exit 1
  `,
  async (test) => {
    for (const delayMs of [1000, 2000]) {
      await eventually("it waits", () => assertEquals(test.timers.sleeping, [delayMs]) ?? true);
      test.timers.advance(delayMs);
    }
    await eventually("the third runs", () => test.runs().length === 3 && test.timers.sleeping.length === 0);
    test.timers.advance(60_000);
    await Deno.writeTextFile(`${test.folder}/end`, "");

    await eventually("it waits", () => assertEquals(test.timers.sleeping, [1000]) ?? true);
  },
);

agentTest("SerfAgent.run() gives an agent up that does not get ready", "exec sleep 60", async (test) => {
  await eventually("it has the time to start", () => assertEquals(test.timers.sleeping, [15_000]) ?? true);

  test.timers.advance(15_000);
  await eventually("it waits", () => assertEquals(test.timers.sleeping, [1000]) ?? true);

  assertEquals(test.agent.problem, "agent was not ready within 15s");
});

agentTest("SerfAgent.run() says when there is no such executable", null, async (test) => {
  await eventually("it waits", () => assertEquals(test.timers.sleeping, [1000]) ?? true);

  assertEquals(test.agent.problem, `cannot find the executable "${test.folder}/serf" of Serf`);
});

agentTest(
  "SerfAgent.run() puts the agent's lines into the log, without what could pass for a line of its own",
  `
    echo "==> Serf agent running!"
    echo "    2024/01/31 23:59:59 [DEBUG] memberlist: details"
    echo "    2024/01/31 23:59:59 [WARN] memberlist: odd"
    echo "    2024/01/31 23:59:59 [ERR] serf: bad"
    printf '    2024/01/31 23:59:59 [INFO] serf: EventMemberJoin: a\\r\\033[2Jb\\n\\n'
    echo "==> not a log line"
    exit 0
  `,
  async (test) => {
    await eventually("it waits", () => assertEquals(test.timers.sleeping, [1000]) ?? true);

    assertEquals(test.lines.filter((line) => !line.endsWith("runs")), [
      "DEBUG: SERF: ==> Serf agent running!",
      "DEBUG: SERF: memberlist: details",
      "WARNING: SERF: memberlist: odd",
      "ERROR: SERF: serf: bad",
      "DEBUG: SERF: serf: EventMemberJoin: a\\x0d\\x1b[2Jb",
      "DEBUG: SERF: ==> not a log line",
      "ERROR: SERF: agent ended with code 0 - serf: bad; trying again in 1s",
    ]);
  },
);

agentTest("SerfAgent.run() runs no agent that outlives a killed program", RUNNING, async ({ folder }) => {
  const owner = fileURLToPath(new URL("../support/serf_agent_owner.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", owner, `${folder}/serf`],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  const reader = lines.getReader();
  const agentPid = Number((await reader.read()).value);
  assertEquals(isRunning(agentPid), true);

  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();

  await eventually("the agent has ended", () => !isRunning(agentPid));
});

/** The script, after it has kept the configuration that it was started with. */
async function writeScript(path: string, folder: string, script: string): Promise<void> {
  const keep = `
    FOLDER='${folder}'
    file=\${2#-config-file=}
    n=$(ls "$FOLDER" | grep -c json)
    cp "$file" "$FOLDER/$n.json"
    echo "$file" > "$FOLDER/$n.path"
    stat -c %a "$file" > "$FOLDER/$n.mode"
  `;
  await Deno.writeTextFile(path, `#!/bin/sh\n${keep}\n${script}\n`, { mode: 0o755 });
}

function runsIn(folder: string) {
  const count = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".mode")).length;
  return Array.from({ length: count }, (_, n) => ({
    path: Deno.readTextFileSync(`${folder}/${n}.path`).trim(),
    config: JSON.parse(Deno.readTextFileSync(`${folder}/${n}.json`)),
    mode: Number.parseInt(Deno.readTextFileSync(`${folder}/${n}.mode`), 8),
  }));
}

async function endpointOf(agent: SerfAgent): Promise<SerfEndpoint> {
  const endpoint = await agent.endpoint();
  assert(endpoint, "there is no agent");
  return endpoint;
}

/** True for a process that has not ended; one that nobody has asked about may linger as a zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
