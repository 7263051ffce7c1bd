import { assertEquals, assertMatch } from "@std/assert";
import { NSQ_TAIL } from "../../src/tools/nsq_tail.ts";
import { eventually } from "../support/eventually.ts";
import { nsqdTest } from "../support/nsqd_in_process.ts";
import { publish } from "../support/tool_messages.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

nsqdTest("A tool shows how far it is on a terminal that shows nothing else", async (nsqd) => {
  await publish(nsqd, "t", ["a", "b", "c"]);
  const world = new FakeToolWorld({ terminals: ["stderr"] });

  const running = world.run(NSQ_TAIL, "--topic=t", "--channel=ch", `--nsqd-tcp-address=${nsqd.tcpAddress}`);
  await eventually("it is shown", () => world.err.includes("3 messages shown"));
  world.send("SIGINT");

  assertEquals(await running, 0);
  assertMatch(world.err, /3 messages shown, \d+ messages\/s\n/);
});

nsqdTest("A tool shows no progress among the messages", async (nsqd) => {
  await publish(nsqd, "t", ["a"]);
  const world = new FakeToolWorld({ terminals: ["stdout", "stderr"] });

  await world.run(NSQ_TAIL, "--topic=t", "--channel=ch", "-n=1", `--nsqd-tcp-address=${nsqd.tcpAddress}`);

  assertEquals(world.err.includes("messages shown"), false);
});
