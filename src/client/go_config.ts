/**
 * go-nsq's options by their names (go-nsq, config.go), as NSQ's tools take them with `--consumer-opt` and
 * `--producer-opt`: checked as go-nsq checks them, with its words, and given in this library's form. What was not set
 * stays at this library's own default.
 *
 * `low_rdy_idle_timeout`, `low_rdy_timeout` and `rdy_redistribute_interval` are checked and have no effect: this library
 * moves RDY from idle nodes to others within a second by itself.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { formatDuration, parseDuration } from "../base/duration.ts";
import type { ConsumerOptions, GiveUp } from "./consumer.ts";
import type { ConnectionOptions, TlsOptions } from "./options.ts";
import type { ProducerOptions } from "./producer.ts";

/** What an option may be set to; a number for a duration is in ms. */
export type GoValue = string | number | boolean;

type Kind =
  | "duration"
  | "int"
  | "float"
  | "bool"
  | "string"
  | "address"
  | "strategy"
  | "file"
  | "tls-version";

interface GoOption {
  readonly kind: Kind;
  readonly min?: number;
  readonly max?: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

const OPTIONS = {
  dial_timeout: { kind: "duration" },
  read_timeout: { kind: "duration", min: 100, max: 5 * MINUTE },
  write_timeout: { kind: "duration", min: 100, max: 5 * MINUTE },
  local_addr: { kind: "address" },
  lookupd_poll_interval: { kind: "duration", min: 10, max: 5 * MINUTE },
  lookupd_poll_jitter: { kind: "float", min: 0, max: 1 },
  lookupd_poll_timeout: { kind: "duration" },
  max_requeue_delay: { kind: "duration", min: 0, max: 60 * MINUTE },
  default_requeue_delay: { kind: "duration", min: 0, max: 60 * MINUTE },
  backoff_strategy: { kind: "strategy" },
  max_backoff_duration: { kind: "duration", min: 0, max: 60 * MINUTE },
  backoff_multiplier: { kind: "duration", min: 0, max: 60 * MINUTE },
  max_attempts: { kind: "int", min: 0, max: 65535 },
  low_rdy_idle_timeout: { kind: "duration", min: SECOND, max: 5 * MINUTE },
  low_rdy_timeout: { kind: "duration", min: SECOND, max: 5 * MINUTE },
  rdy_redistribute_interval: { kind: "duration", min: 1, max: 5 * SECOND },
  client_id: { kind: "string" },
  hostname: { kind: "string" },
  user_agent: { kind: "string" },
  topology_region: { kind: "string" },
  topology_zone: { kind: "string" },
  heartbeat_interval: { kind: "duration" },
  sample_rate: { kind: "int", min: 0, max: 99 },
  tls_v1: { kind: "bool" },
  tls_root_ca_file: { kind: "file" },
  tls_insecure_skip_verify: { kind: "bool" },
  tls_cert: { kind: "file" },
  tls_key: { kind: "file" },
  tls_min_version: { kind: "tls-version" },
  deflate: { kind: "bool" },
  deflate_level: { kind: "int", min: 1, max: 9 },
  snappy: { kind: "bool" },
  output_buffer_size: { kind: "int" },
  output_buffer_timeout: { kind: "duration" },
  max_in_flight: { kind: "int", min: 0 },
  msg_timeout: { kind: "duration", min: 0 },
  max_msg_size: { kind: "int", min: 0 },
  auth_secret: { kind: "string" },
  skip_lookupd_authorization: { kind: "bool" },
} as const satisfies Readonly<Record<string, GoOption>>;

type Name = keyof typeof OPTIONS;

/** The first of them that is on is used, as with go-nsq. */
const COMPRESSIONS = ["deflate", "snappy"] as const;

/** go-nsq's default, which `heartbeat_interval` is held against. */
const READ_TIMEOUT_MS = 60 * SECOND;

const TLS_VERSIONS: Readonly<Record<string, TlsOptions["minVersion"]>> = {
  "ssl3.0": "TLSv1",
  "tls1.0": "TLSv1",
  "tls1.1": "TLSv1.1",
  "tls1.2": "TLSv1.2",
};

/**
 * Options of go-nsq.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { GoConfig } from "@denosq/client";
 *
 * const config = new GoConfig();
 * config.flag("max-in-flight,50");
 * config.flag("msg_timeout,1m30s");
 *
 * const { maxInFlight, msgTimeoutMs } = config.consumerOptions();
 * assertEquals([maxInFlight, msgTimeoutMs], [50, 90_000]);
 * ```
 */
export class GoConfig {
  readonly #values = new Map<Name, GoValue>();

  /** The names that there are. */
  static get names(): string[] {
    return Object.keys(OPTIONS);
  }

  /**
   * Sets an option; in its name `-` means `_`.
   *
   * @throws {RangeError} If there is no such option, or it cannot have that value.
   */
  set(option: string, value: GoValue): void {
    const name = option.replaceAll("-", "_");
    if (!isName(name)) throw new RangeError(`invalid option ${name}`);
    const { kind, min, max }: GoOption = OPTIONS[name];
    let given: GoValue;
    try {
      given = coerced(kind, value);
    } catch (error) {
      if (kind === "tls-version" || kind === "file") throw error;
      throw new RangeError(`failed to coerce option ${name} (${value}) - ${(error as Error).message}`);
    }
    if (typeof given === "number") {
      const shown = (number: number) => kind === "duration" ? formatDuration(number) : String(number);
      if (min !== undefined && given < min) {
        throw new RangeError(`invalid ${name} ! ${shown(given)} < ${shown(min)}`);
      }
      if (max !== undefined && given > max) {
        throw new RangeError(`invalid ${name} ! ${shown(given)} > ${shown(max)}`);
      }
    }
    this.#values.set(name, given);
  }

  /**
   * Sets an option as a flag gives it: `name,value`, or the name alone for `true`.
   *
   * @throws {RangeError} If there is no such option, or it cannot have that value.
   */
  flag(text: string): void {
    const comma = text.indexOf(",");
    if (comma < 0) this.set(text, true);
    else this.set(text.slice(0, comma), text.slice(comma + 1));
  }

  /** Checks what concerns more than one option. @throws {RangeError} */
  validate(): void {
    const heartbeatMs = this.#number("heartbeat_interval") ?? 30 * SECOND;
    const readMs = this.#number("read_timeout") ?? READ_TIMEOUT_MS;
    if (heartbeatMs <= readMs) return;
    const [heartbeat, read] = [heartbeatMs, readMs].map(formatDuration);
    throw new RangeError(`HeartbeatInterval ${heartbeat} must be less than ReadTimeout ${read}`);
  }

  /** For a producer. */
  producerOptions(): ProducerOptions {
    return this.#connectionOptions();
  }

  /**
   * For a consumer.
   *
   * @param deadLetter Where messages go when `max_attempts` is over; by default, as with go-nsq, nowhere.
   */
  consumerOptions(deadLetter: GiveUp["deadLetter"] = () => undefined): ConsumerOptions {
    const maxAttempts = this.#number("max_attempts") ?? 0;
    const strategy = this.#string("backoff_strategy");
    return {
      ...this.#connectionOptions(),
      ...given("maxInFlight", this.#number("max_in_flight")),
      ...given("msgTimeoutMs", this.#number("msg_timeout") || undefined),
      ...given("sampleRate", this.#number("sample_rate") || undefined),
      ...given("defaultRequeueDelayMs", this.#number("default_requeue_delay")),
      ...given("maxRequeueDelayMs", this.#number("max_requeue_delay")),
      backoff: {
        ...given("multiplierMs", this.#number("backoff_multiplier")),
        ...given("maxMs", this.#number("max_backoff_duration")),
        jitter: strategy === "full_jitter",
      },
      ...maxAttempts > 0 && { giveUp: { attempts: maxAttempts, deadLetter } },
    };
  }

  #connectionOptions(): ConnectionOptions {
    const region = this.#string("topology_region");
    const zone = this.#string("topology_zone");
    const compression = COMPRESSIONS.find((name) => this.#values.get(name) === true);
    return {
      ...given("dialTimeoutMs", this.#number("dial_timeout")),
      ...given("readTimeoutMs", this.#number("read_timeout")),
      ...given("writeTimeoutMs", this.#number("write_timeout")),
      ...given("localAddress", this.#string("local_addr")),
      ...given("lookupdPollIntervalMs", this.#number("lookupd_poll_interval")),
      ...given("lookupdPollJitter", this.#number("lookupd_poll_jitter")),
      ...given("lookupdPollTimeoutMs", this.#number("lookupd_poll_timeout")),
      // Its name says the opposite of what it does in go-nsq: true, the default, sends the secret.
      ...given("lookupdAuthorization", this.#boolean("skip_lookupd_authorization")),
      ...given("clientId", this.#string("client_id")),
      ...given("hostname", this.#string("hostname")),
      ...given("userAgent", this.#string("user_agent")),
      ...(region !== undefined || zone !== undefined) && {
        topology: { ...given("region", region), ...given("zone", zone) },
      },
      ...given("heartbeatIntervalMs", wholeOrNever(this.#number("heartbeat_interval"))),
      ...this.#values.get("tls_v1") === true && { tls: this.#tls() },
      ...given("compression", compression),
      ...given("deflateLevel", this.#number("deflate_level")),
      ...given("outputBufferSizeBytes", this.#number("output_buffer_size")),
      ...given("outputBufferTimeoutMs", wholeOrNever(this.#number("output_buffer_timeout"))),
      ...given("maxMsgSizeBytes", this.#number("max_msg_size")),
      ...given("authSecret", this.#string("auth_secret") || undefined),
    };
  }

  #tls(): TlsOptions {
    return {
      ...given("ca", this.#string("tls_root_ca_file")),
      ...given("cert", this.#string("tls_cert")),
      ...given("key", this.#string("tls_key")),
      rejectUnauthorized: this.#values.get("tls_insecure_skip_verify") !== true,
      ...given("minVersion", TLS_VERSIONS[this.#string("tls_min_version") ?? ""]),
    };
  }

  #number(name: Name): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  #string(name: Name): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  #boolean(name: Name): boolean | undefined {
    const value = this.#values.get(name);
    return typeof value === "boolean" ? value : undefined;
  }
}

function isName(name: string): name is Name {
  return Object.hasOwn(OPTIONS, name);
}

/** The value in the form of its kind. Files are read at once, as go-nsq does. */
function coerced(kind: Kind, value: GoValue): GoValue {
  switch (kind) {
    case "duration":
      if (typeof value === "boolean") throw new Error("invalid value type");
      return typeof value === "number" ? value : durationOf(value);
    case "int":
    case "float":
      return numberOf(kind, value);
    case "bool":
      return boolOf(value);
    case "strategy":
      if (value === "" || value === "exponential" || value === "full_jitter") return value;
      throw new Error("invalid value type");
    case "file":
      return readFileSync(stringOf(value), "utf8");
    case "tls-version":
      if (typeof value === "string" && Object.hasOwn(TLS_VERSIONS, value)) return value;
      throw new RangeError(`ERROR: ${value} is not a tls version`);
    case "address":
    case "string":
      return stringOf(value);
  }
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new Error(`time: ${(error as Error).message}`);
  }
}

function numberOf(kind: "int" | "float", value: GoValue): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") throw new Error("invalid value type");
  const pattern = kind === "int" ? /^[-+]?\d+$/ : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
  if (pattern.test(value)) return Number(value);
  throw new Error(
    `strconv.Parse${kind === "int" ? "Int" : "Float"}: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}

function boolOf(value: GoValue): boolean {
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value !== 0;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}

function stringOf(value: GoValue): string {
  if (typeof value === "boolean") throw new Error("invalid value type");
  return String(value);
}

/** Any negative duration stands for never. */
function wholeOrNever(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms < 0 ? -1 : Math.round(ms);
}

/** The entry, if there is a value: an option that is there and undefined is not one that is missing. */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
