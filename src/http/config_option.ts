/**
 * `/config/:opt` of a daemon (nsqd/http.go, nsqadmin/http.go): options shown, and some of them changed while it runs.
 *
 * @module
 */

import { HttpError } from "./http_error.ts";
import type { RequestContext } from "./request_context.ts";

/** The largest value that an option is given, in bytes. */
export const CONFIG_VALUE_SIZE_MAX = 64 * 1024;

/** What a daemon lets be shown and changed. */
export interface ConfigOptions {
  /** What an option is, by its key in the configuration file; undefined if there is none. */
  optionValue(key: string): unknown;
  /** Those that can be changed: each takes the value, and throws what `required()` does if it is none. */
  readonly changes: ReadonlyMap<string, (text: string) => void>;
  /** The largest value that is read, in bytes. @default {CONFIG_VALUE_SIZE_MAX} */
  readonly valueSizeMax?: number;
}

/** `GET /config/:opt` @throws {HttpError} */
export function showOption(options: Pick<ConfigOptions, "optionValue">, { params }: RequestContext): unknown {
  const value = options.optionValue(params.opt);
  if (value === undefined) throw new HttpError(400, "INVALID_OPTION");
  return value;
}

/** `PUT /config/:opt`; shows what it is then. @throws {HttpError} */
export async function changeOption(options: ConfigOptions, request: RequestContext): Promise<unknown> {
  const body = await request.readBody(options.valueSizeMax ?? CONFIG_VALUE_SIZE_MAX);
  if (body === undefined || body.length === 0) throw new HttpError(413, "INVALID_VALUE");
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  request.detail = text;
  const change = options.changes.get(request.params.opt);
  if (change === undefined) throw new HttpError(400, "INVALID_OPTION");
  change(text);
  return showOption(options, request);
}

/** The value. @throws {HttpError} If it is none. */
export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new HttpError(400, "INVALID_VALUE");
  return value;
}

/** A JSON array of strings; `null` is an empty one. */
export function parseStringList(json: string): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (value === null) return [];
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}
