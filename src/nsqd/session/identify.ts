/**
 * IDENTIFY: what a client says of itself and asks for, read as Go's encoding/json reads it into NSQ's
 * identifyDataV2 (nsqd/client_v2.go), and the rules for what it may ask for.
 *
 * @module
 */

import { shortened } from "../../base/shortened.ts";
import { jsonFields } from "../../protocol/json_fields.ts";
import type { MessageOptions } from "../node/message_options.ts";
import type { SessionOptions } from "./options.ts";

/** What a client may say; what is missing is 0, false or "". */
export interface IdentifyData {
  readonly client_id: string;
  readonly hostname: string;
  readonly heartbeat_interval: number;
  readonly output_buffer_size: number;
  readonly output_buffer_timeout: number;
  readonly feature_negotiation: boolean;
  readonly tls_v1: boolean;
  readonly deflate: boolean;
  readonly deflate_level: number;
  readonly snappy: boolean;
  readonly sample_rate: number;
  readonly user_agent: string;
  readonly msg_timeout: number;
  readonly topology_region: string;
  readonly topology_zone: string;
}

/** What a client that has said nothing gets. */
const NOTHING_SAID: IdentifyData = {
  client_id: "",
  hostname: "",
  heartbeat_interval: 0,
  output_buffer_size: 0,
  output_buffer_timeout: 0,
  feature_negotiation: false,
  tls_v1: false,
  deflate: false,
  deflate_level: 0,
  snappy: false,
  sample_rate: 0,
  user_agent: "",
  msg_timeout: 0,
  topology_region: "",
  topology_zone: "",
};

/** Whole numbers are 64 bits wide but for this one. */
const INT32_FIELD = "sample_rate";

/** As much of what a client calls itself is kept, for the log and the statistics, in characters. */
export const TEXT_LENGTH_MAX = 1024;

const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Smallest interval and timeout that a client may ask for, in ms. */
const HEARTBEAT_INTERVAL_MIN_MS = 1000;
const MSG_TIMEOUT_MIN_MS = 1000;
/** Smallest output buffer that a client may ask for, in bytes. */
const OUTPUT_BUFFER_SIZE_MIN = 64;
const SAMPLE_RATE_MAX = 99;

/** What a connection goes by after IDENTIFY; times in ms, sizes in bytes. */
export interface ConnectionSettings {
  /** 0 is none. */
  heartbeatIntervalMs: number;
  outputBufferSizeBytes: number;
  outputBufferTimeoutMs: number;
  sampleRate: number;
  msgTimeoutMs: number;
}

/**
 * Reads the body.
 *
 * @throws {SyntaxError} When it is not JSON, or not of the right types.
 */
export function decodeIdentify(body: Uint8Array): IdentifyData {
  const data: Record<string, unknown> = { ...NOTHING_SAID };
  for (const { name: key, text } of jsonFields(UTF_8.decode(body)) ?? []) {
    // NSQ compat: keys match in any case, and null leaves a field as it is.
    const name = key.toLowerCase();
    if (text === "null" || !Object.hasOwn(NOTHING_SAID, name)) continue;
    const field: unknown = JSON.parse(text);
    if (typeof field !== typeof NOTHING_SAID[name as keyof IdentifyData]) {
      throw new SyntaxError(`Field "${name}" is of the wrong type`);
    }
    if (typeof field === "number" && !fitsField(name, text)) {
      throw new SyntaxError(`Field "${name}" is not a whole number in range`);
    }
    data[name] = typeof field === "string" ? shortened(field, TEXT_LENGTH_MAX) : field;
  }
  return data as unknown as IdentifyData;
}

/**
 * Applies what the client asks for.
 *
 * @throws {RangeError} With NSQ's text, when it asks for what it may not have.
 */
export function applyIdentify(
  settings: ConnectionSettings,
  data: IdentifyData,
  options: SessionOptions & Pick<MessageOptions, "maxMsgTimeoutMs">,
): void {
  const { heartbeat_interval, output_buffer_size, output_buffer_timeout, sample_rate, msg_timeout } = data;
  if (heartbeat_interval === -1) settings.heartbeatIntervalMs = 0;
  else if (heartbeat_interval !== 0) {
    check(
      heartbeat_interval,
      HEARTBEAT_INTERVAL_MIN_MS,
      options.maxHeartbeatIntervalMs,
      "heartbeat interval",
    );
    settings.heartbeatIntervalMs = heartbeat_interval;
  }

  if (output_buffer_timeout === -1) settings.outputBufferTimeoutMs = 0;
  else if (output_buffer_timeout !== 0) {
    const { minOutputBufferTimeoutMs, maxOutputBufferTimeoutMs } = options;
    check(output_buffer_timeout, minOutputBufferTimeoutMs, maxOutputBufferTimeoutMs, "output buffer timeout");
    settings.outputBufferTimeoutMs = output_buffer_timeout;
  }

  if (output_buffer_size === -1) {
    settings.outputBufferSizeBytes = 1;
    settings.outputBufferTimeoutMs = 0;
  } else if (output_buffer_size !== 0) {
    check(output_buffer_size, OUTPUT_BUFFER_SIZE_MIN, options.maxOutputBufferSizeBytes, "output buffer size");
    settings.outputBufferSizeBytes = output_buffer_size;
  }

  check(sample_rate, 0, SAMPLE_RATE_MAX, "sample rate");
  settings.sampleRate = sample_rate;

  if (msg_timeout !== 0) {
    check(msg_timeout, MSG_TIMEOUT_MIN_MS, options.maxMsgTimeoutMs, "msg timeout");
    settings.msgTimeoutMs = msg_timeout;
  }
}

function check(value: number, min: number, max: number, what: string): void {
  if (value < min || value > max) throw new RangeError(`${what} (${value}) is invalid`);
}

/** As Go reads whole numbers: not `1.0`, nor `1e3`. */
function fitsField(name: string, text: string): boolean {
  if (!/^-?\d{1,19}$/.test(text)) return false;
  return BigInt.asIntN(name === INT32_FIELD ? 32 : 64, BigInt(text)) === BigInt(text);
}
