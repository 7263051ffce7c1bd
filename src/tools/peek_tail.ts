/**
 * nsq_tail --peek: shows the messages that are there, and leaves them there.
 *
 * @module
 */

import { Output } from "../net/output.ts";
import { Gunzip } from "./gunzip.ts";
import { nodesOf } from "./lookupd_nodes.ts";
import { type MessageFields, withBody } from "./message_form.ts";
import type { NsqTailOptions } from "./nsq_tail_options.ts";
import { checkAddresses } from "./options.ts";
import { peek } from "./peek.ts";
import { filterOf, formOf, writeFailure } from "./tail_form.ts";
import { type ExitCode, type ToolContext, ToolError, writeAll } from "./tool.ts";

/** So many bytes are written at once. */
const WRITE_SIZE = 64 * 1024;
const NS_PER_MS = 1_000_000n;

/** Runs nsq_tail with --peek. */
export async function runPeek(options: NsqTailOptions, context: ToolContext): Promise<ExitCode> {
  const { nsqdHttpAddress, lookupdHttpAddress, nsqdTcpAddress, topic: topics, channel, n, since } = options;
  if (nsqdTcpAddress.length > 0) {
    throw new ToolError("--peek needs --nsqd-http-address instead of --nsqd-tcp-address");
  }
  checkAddresses({ flag: "nsqd-http-address", addresses: nsqdHttpAddress }, lookupdHttpAddress);
  if (topics.length === 0) throw new ToolError("--topic required");
  if (options.ack !== "finish") throw new ToolError("--peek takes no messages: there is nothing to --ack");
  const form = formOf(options);
  const filter = filterOf(options);
  const gunzip = options.gunzip ? new Gunzip(context.log) : undefined;
  const sinceNs = since === 0 ? 0n : BigInt(Math.round(Date.now() - since)) * NS_PER_MS;
  const asking = {
    connectTimeoutMs: options.connectTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs,
    token: options.httpToken,
    signal: context.stop,
  };

  const output = new Output();
  const flush = async () => {
    try {
      await writeAll(context.world.stdout, output.take());
    } catch (error) {
      throw writeFailure(error as Error);
    }
  };
  try {
    for (const topic of topics) {
      const failures: string[] = [];
      const found = await nodesOf(lookupdHttpAddress, topic, asking, failures);
      if (failures.length > 0) throw new ToolError(failures.join("; "));
      let left = n > 0 ? n : Infinity;
      for (const node of [...nsqdHttpAddress, ...found]) {
        for await (const message of left > 0 ? peek({ node, topic, channel }, asking) : []) {
          const fields: MessageFields = gunzip ? withBody(message, await gunzip.body(message)) : message;
          if (message.timestampNs < sinceNs || filter && !filter(fields)) continue;
          form(fields, output);
          if (output.length >= WRITE_SIZE) await flush();
          if (--left === 0) break;
        }
      }
    }
    await flush();
  } catch (error) {
    if (context.stop.aborted || error instanceof Deno.errors.BrokenPipe) return 0;
    throw error;
  }
  return 0;
}
