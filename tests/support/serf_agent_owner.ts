/**
 * A program that owns a Serf agent: runs the executable that it is given, prints the agent's process id, and stays
 * until it is killed.
 *
 *     deno run -A serf_agent_owner.ts ./serf
 *
 * @module
 */

import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { SerfAgent } from "../../src/cluster/serf_agent.ts";

const agent = new SerfAgent(
  {
    executable: Deno.args[0],
    nodeName: "a:4150",
    bindAddress: "127.0.0.1:7946",
    advertiseAddress: "127.0.0.1:7946",
    tags: {},
    encryptKey: "",
  },
  { logger: new Logger({ prefix: "", level: LOG_LEVELS.error }) },
);
const running = agent.run(new AbortController().signal);
await agent.endpoint();
console.log(agent.pid);
await running;
