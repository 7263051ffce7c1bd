/**
 * The flags that several tools have, and what must hold of them together. Tools have no configuration file.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { DENOSQ_VERSION, NSQ_VERSION } from "../base/version.ts";
import { type ConsumerOptions, type GiveUp, GoConfig, type ProducerOptions } from "../client/mod.ts";
import { bool, duration, int, type Kind, string, stringList } from "../config/kind.ts";
import { COMMON_OPTIONS, option, OptionError, type OptionsOf } from "../config/option.ts";
import { ToolError } from "./tool.ts";

/** Options of go-nsq, each as `name,value`. */
export const goOptions: Kind<GoConfig> = {
  name: "name,value",
  fromFlag(texts) {
    const config = new GoConfig();
    for (const text of texts) {
      try {
        config.flag(text);
      } catch (error) {
        throw new SyntaxError(withKnownNames(errorText(error)), { cause: error });
      }
    }
    return config;
  },
  fromFile() {
    throw new SyntaxError("is a flag only");
  },
  show: () => "",
  toJson: () => null,
};

function withKnownNames(message: string): string {
  return message.startsWith("invalid option ")
    ? `${message}; there is: ${GoConfig.names.join(", ")}`
    : message;
}

/** The flags that every tool has. */
export const TOOL_OPTIONS = {
  version: COMMON_OPTIONS.version,
  quiet: option({
    flag: "quiet",
    key: null,
    kind: bool,
    default: false,
    description: "Say what goes wrong on standard error, and nothing else.",
  }),
};

const retry = option({
  flag: "retry",
  key: null,
  kind: bool,
  default: true,
  description:
    "Wait for an nsqd that is not there at start; false ends with exit code 1 then, as NSQ's tools do.",
});

/** The flags of tools that take messages. */
export const CONSUMER_OPTIONS = {
  nsqdTcpAddress: option({
    flag: "nsqd-tcp-address",
    key: null,
    kind: stringList,
    default: [],
    description:
      "Address of an nsqd: <addr>:<port>, nsqs://<addr>:<port>, unix:<path>; may be given multiple times.",
  }),
  lookupdHttpAddress: option({
    flag: "lookupd-http-address",
    key: null,
    kind: stringList,
    default: [],
    description: "HTTP address of an nsqlookupd, or of an nsqd with gossip; may be given multiple times.",
  }),
  consumerOpt: option({
    flag: "consumer-opt",
    key: null,
    kind: goOptions,
    default: () => new GoConfig(),
    description: "Option of go-nsq's Config for consumers, as name,value; may be given multiple times.",
  }),
  maxInFlight: option({
    flag: "max-in-flight",
    key: null,
    kind: int,
    default: 200,
    description: "The most messages that are held at a time.",
  }),
  retry,
};

/** The flags of tools that ask over HTTP. */
export const HTTP_CLIENT_OPTIONS = {
  connectTimeoutMs: option({
    flag: "http-client-connect-timeout",
    key: null,
    kind: duration,
    default: 2000,
    description: "How long a connection over HTTP may take.",
  }),
  requestTimeoutMs: option({
    flag: "http-client-request-timeout",
    key: null,
    kind: duration,
    default: 5000,
    description: "How long an answer over HTTP may take.",
  }),
  httpToken: option({
    flag: "http-token",
    key: null,
    kind: string,
    default: "",
    description: "Bearer token for an nsqd that demands one over HTTP.",
  }),
};

/** The flags of tools that publish messages. */
export const PRODUCER_OPTIONS = {
  producerOpt: option({
    flag: "producer-opt",
    key: null,
    kind: goOptions,
    default: () => new GoConfig(),
    description: "Option of go-nsq's Config for producers, as name,value; may be given multiple times.",
  }),
  retry,
};

/** Checks that nodes are named in one of both ways. @throws {ToolError} */
export function checkAddresses(
  nsqd: { readonly flag: string; readonly addresses: readonly string[] },
  lookupd: readonly string[],
): void {
  const other = "--lookupd-http-address";
  if (nsqd.addresses.length === 0 && lookupd.length === 0) {
    throw new ToolError(`--${nsqd.flag} or ${other} required`);
  }
  if (nsqd.addresses.length > 0 && lookupd.length > 0) {
    throw new ToolError(`use --${nsqd.flag} or ${other} not both`);
  }
}

/**
 * Runs what makes a consumer or producer, or checks options of go-nsq: what they refuse is the user's to mend.
 *
 * @throws {ToolError}
 */
export function usable<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new ToolError(errorText(error), { cause: error });
    }
    throw error;
  }
}

/** How a tool's consumer works: as go-nsq's options say, but in what NSQ's tools set themselves. @throws {ToolError} */
export function consumerOptions(
  tool: string,
  options: OptionsOf<typeof CONSUMER_OPTIONS>,
  deadLetter?: GiveUp["deadLetter"],
): ConsumerOptions {
  const { nsqdTcpAddress, lookupdHttpAddress, consumerOpt, maxInFlight } = options;
  usable(() => consumerOpt.validate());
  return {
    ...consumerOpt.consumerOptions(deadLetter),
    nsqd: nsqdTcpAddress,
    lookupd: lookupdHttpAddress,
    maxInFlight,
    userAgent: userAgent(tool),
  };
}

/** How a tool's producer works; where it publishes is added. @throws {ToolError} */
export function producerOptions(
  tool: string,
  { producerOpt }: Pick<OptionsOf<typeof PRODUCER_OPTIONS>, "producerOpt">,
): ProducerOptions {
  usable(() => producerOpt.validate());
  return { ...producerOpt.producerOptions(), userAgent: userAgent(tool) };
}

/** How a tool calls itself, as NSQ's do; behind it is the client that it uses. */
function userAgent(tool: string): string {
  return `${tool}/${NSQ_VERSION} denosq-client/${DENOSQ_VERSION}`;
}

/** Reads the text of a flag that has a syntax of its own. @throws {OptionError} If it is none. */
export function parsed<T>(flag: string, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OptionError(`Bad value ${JSON.stringify(text)} of flag --${flag}: ${error.message}`, {
      cause: error,
    });
  }
}
