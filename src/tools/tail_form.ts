/**
 * In which form nsq_tail shows messages, and which of them.
 *
 * @module
 */

import { type Filter, grep, parseFilter } from "./filter.ts";
import { bodyForm, jsonForm, type MessageForm, parseFormat } from "./message_form.ts";
import type { NsqTailOptions } from "./nsq_tail_options.ts";
import { parsed } from "./options.ts";
import { ToolError } from "./tool.ts";

const NEWLINE = 10;

/** The form that flags ask for. @throws {ToolError | OptionError} If they contradict each other, or it is none. */
export function formOf(options: NsqTailOptions): MessageForm {
  const { printTopic, raw, zero } = options;
  const format = options.format || options.f;
  const json = options.json || options.J;
  const chosen = [format !== "" && "--format", json && "--json", raw && "--raw", zero && "-0"].filter((
    flag,
  ) => flag);
  if (chosen.length > 1) throw new ToolError(`use ${chosen.join(" or ")} not both`);
  if (format !== "") return parsed("format", format, parseFormat);
  if (json) return jsonForm;
  const body = bodyForm(raw ? new Uint8Array() : Uint8Array.of(zero ? 0 : NEWLINE));
  if (!printTopic) return body;
  const encoder = new TextEncoder();
  return (message, output) => {
    output.append(encoder.encode(`${message.topic} | `));
    body(message, output);
  };
}

/** Which messages flags ask for; undefined for all. @throws {OptionError} If one of them is no filter. */
export function filterOf(options: NsqTailOptions): Filter | undefined {
  const filters = [
    ...options.grep === "" ? [] : [parsed("grep", options.grep, grep)],
    ...options.filter === "" ? [] : [parsed("filter", options.filter, parseFilter)],
  ];
  if (filters.length === 0) return undefined;
  return (message) => filters.every((filter) => filter(message));
}

/** Why nothing more can be written; that whoever reads has gone is no failure. */
export function writeFailure(error: Error): Error {
  if (error instanceof Deno.errors.BrokenPipe) return error;
  return new ToolError(`cannot write to standard output - ${error.message}`, { cause: error });
}
