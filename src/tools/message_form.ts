/**
 * The forms in which messages are shown or written: JSON, one object in a line, or a format with tokens, as of `-f`:
 *
 * | token | |
 * | --- | --- |
 * | `%t` `%c` `%n` | topic, channel, node |
 * | `%i` `%a` | id, attempts |
 * | `%d` | when it was published, RFC 3339 with nanoseconds; `%d{ns}` `%d{us}` `%d{ms}` `%d{s}` since 1970, `%d{%Y-%m-%d %H:%M:%S}` by strftime, UTC |
 * | `%v` | body; `%v{hex}` `%v{base64}` `%v{json}` (a string of JSON) |
 * | `%V` | the body's length in bytes; `%V{big4}` `%V{big8}` `%V{little4}` as that many bytes |
 * | `%k{.path}` | what the body, as JSON, has there: strings as they are, the rest as JSON, nothing where there is nothing |
 * | `%%` | a percent sign |
 * | `\n` `\t` `\r` `\0` `\\` `\xNN` | these bytes |
 *
 * A format is read once, into one function for each token. Pure.
 *
 * @module
 */

import { Output } from "../net/output.ts";
import { jsonIn, parsePath, valueAt } from "./json_path.ts";

/** What is shown of a message; the client's are such. */
export interface MessageFields {
  readonly topic: string;
  readonly channel: string;
  readonly node: string;
  readonly id: string;
  readonly attempts: number;
  readonly timestampNs: bigint;
  readonly body: Uint8Array;
  /** Where it is, if it was only looked at: waiting, in_flight, deferred, parked. */
  readonly state?: string;
}

/** Writes a message in some form. */
export type MessageForm = (message: MessageFields, output: Output) => void;

/** The message with another body. */
export function withBody(message: MessageFields, body: Uint8Array): MessageFields {
  if (body === message.body) return message;
  const { topic, channel, node, id, attempts, timestampNs, state } = message;
  return { topic, channel, node, id, attempts, timestampNs, body, ...state !== undefined && { state } };
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NS_PER = { ns: 1n, us: 1_000n, ms: 1_000_000n, s: 1_000_000_000n } as const;
const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, "0": 0, "\\": 92 };

/** The body, and behind it these bytes. */
export function bodyForm(end: Uint8Array): MessageForm {
  return (message, output) => {
    output.append(message.body);
    if (end.length > 0) output.append(end);
  };
}

/** An object of JSON in a line. A body that is no UTF-8 is there as base64. */
export const jsonForm: MessageForm = (message, output) => {
  const { topic, channel, id, attempts, node, body } = message;
  const text = utf8(body);
  const line = JSON.stringify({
    topic,
    channel,
    id,
    // A number of JSON would not keep the nanoseconds.
    timestamp: String(message.timestampNs),
    attempts,
    node,
    ...message.state !== undefined && { state: message.state },
    ...text === undefined ? { body_base64: body.toBase64() } : { body: text },
  });
  output.append(ENCODER.encode(`${line}\n`));
};

/**
 * The form that a format describes.
 *
 * @throws {SyntaxError} If it has a token that does not exist; the message names it.
 */
export function parseFormat(format: string): MessageForm {
  const parts: MessageForm[] = [];
  const literal = new Output();
  const token = /%(?:([a-zA-Z%])(?:\{((?:[^{}]|\{[^{}]*\})*)\})?)?|\\(?:x([\da-fA-F]{2})|([\s\S])?)|[^%\\]+/y;
  for (let match = token.exec(format); match; match = token.exec(format)) {
    const [whole, letter, modifier, hex, escape] = match;
    if (letter === "%" && modifier === undefined) literal.append(ENCODER.encode("%"));
    else if (whole.startsWith("%")) {
      if (literal.length > 0) parts.push(bytesForm(literal));
      parts.push(tokenForm(whole, letter, modifier));
    } else if (hex !== undefined) literal.append(Uint8Array.of(parseInt(hex, 16)));
    else if (whole.startsWith("\\")) {
      const byte = escape === undefined ? undefined : ESCAPES[escape];
      if (byte === undefined) {
        throw new SyntaxError(`has the unknown escape ${whole}; write \\\\ for a backslash`);
      }
      literal.append(Uint8Array.of(byte));
    } else literal.append(ENCODER.encode(whole));
  }
  if (literal.length > 0) parts.push(bytesForm(literal));
  return (message, output) => {
    for (const part of parts) part(message, output);
  };
}

function bytesForm(literal: Output): MessageForm {
  const bytes = literal.take().slice();
  return (_message, output) => output.append(bytes);
}

function tokenForm(whole: string, letter: string | undefined, modifier: string | undefined): MessageForm {
  switch (letter) {
    case "t":
      return textForm(whole, modifier, ({ topic }) => topic);
    case "c":
      return textForm(whole, modifier, ({ channel }) => channel);
    case "n":
      return textForm(whole, modifier, ({ node }) => node);
    case "i":
      return textForm(whole, modifier, ({ id }) => id);
    case "a":
      return textForm(whole, modifier, ({ attempts }) => String(attempts));
    case "d":
      return textForm(whole, undefined, timeText(modifier ?? "rfc3339"));
    case "v":
      return valueForm(whole, modifier);
    case "V":
      return lengthForm(whole, modifier);
    case "k": {
      if (modifier === undefined) throw new SyntaxError(`has ${whole} without a path: %k{.name}`);
      const path = parsePath(modifier);
      return textForm(whole, undefined, ({ body }) => shown(valueAt(jsonIn(body), path)));
    }
    default:
      throw new SyntaxError(`has the unknown token ${whole}; there is: %t %c %n %i %a %d %v %V %k{.path} %%`);
  }
}

function textForm(
  whole: string,
  modifier: string | undefined,
  text: (message: MessageFields) => string,
): MessageForm {
  if (modifier === "json") {
    return (message, output) => output.append(ENCODER.encode(JSON.stringify(text(message))));
  }
  if (modifier !== undefined) throw unknownModifier(whole, ["json"]);
  return (message, output) => output.append(ENCODER.encode(text(message)));
}

function valueForm(whole: string, modifier: string | undefined): MessageForm {
  switch (modifier) {
    case undefined:
      return (message, output) => output.append(message.body);
    case "hex":
      return (message, output) => output.append(ENCODER.encode(message.body.toHex()));
    case "base64":
      return (message, output) => output.append(ENCODER.encode(message.body.toBase64()));
    case "json":
      return (message, output) =>
        output.append(ENCODER.encode(JSON.stringify(new TextDecoder().decode(message.body))));
    default:
      throw unknownModifier(whole, ["hex", "base64", "json"]);
  }
}

function lengthForm(whole: string, modifier: string | undefined): MessageForm {
  if (modifier === undefined) {
    return (message, output) => output.append(ENCODER.encode(String(message.body.length)));
  }
  const [, order, size] = /^(big|little)([48])$/.exec(modifier) ?? [];
  if (order === undefined) throw unknownModifier(whole, ["big4", "big8", "little4", "little8"]);
  const bytes = new Uint8Array(Number(size));
  const view = new DataView(bytes.buffer);
  return ({ body }, output) => {
    if (bytes.length === 4) view.setUint32(0, body.length, order === "little");
    else view.setBigUint64(0, BigInt(body.length), order === "little");
    output.append(bytes);
  };
}

function timeText(modifier: string): (message: MessageFields) => string {
  if (Object.hasOwn(NS_PER, modifier)) {
    const unit = NS_PER[modifier as keyof typeof NS_PER];
    return ({ timestampNs }) => String(timestampNs / unit);
  }
  if (modifier === "rfc3339") {
    return ({ timestampNs }) => {
      const whole = new Date(Number(timestampNs / NS_PER.ms)).toISOString().slice(0, 19);
      return `${whole}.${String(timestampNs % NS_PER.s).padStart(9, "0")}Z`;
    };
  }
  if (!modifier.includes("%")) throw unknownModifier("%d", ["ns", "us", "ms", "s", "rfc3339", "%Y-%m-%d"]);
  strftime(modifier, 0n);
  return ({ timestampNs }) => strftime(modifier, timestampNs);
}

/** A time in UTC by a format of strftime. @throws {SyntaxError} */
function strftime(format: string, timestampNs: bigint): string {
  const date = new Date(Number(timestampNs / NS_PER.ms));
  const pad = (value: number, width = 2) => String(value).padStart(width, "0");
  return format.replace(/%(.?)/gs, (whole, letter: string) => {
    switch (letter) {
      case "Y":
        return String(date.getUTCFullYear());
      case "m":
        return pad(date.getUTCMonth() + 1);
      case "d":
        return pad(date.getUTCDate());
      case "H":
        return pad(date.getUTCHours());
      case "M":
        return pad(date.getUTCMinutes());
      case "S":
        return pad(date.getUTCSeconds());
      case "L":
        return pad(date.getUTCMilliseconds(), 3);
      case "N":
        return String(timestampNs % NS_PER.s).padStart(9, "0");
      case "s":
        return String(timestampNs / NS_PER.s);
      case "F":
        return date.toISOString().slice(0, 10);
      case "T":
        return date.toISOString().slice(11, 19);
      case "%":
        return "%";
      default:
        throw new SyntaxError(`has the unknown time ${whole}; there is: %Y %m %d %H %M %S %L %N %s %F %T %%`);
    }
  });
}

function shown(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function unknownModifier(whole: string, known: readonly string[]): SyntaxError {
  return new SyntaxError(
    `has the unknown form ${whole}; there is: ${known.map((name) => `{${name}}`).join(" ")}`,
  );
}
