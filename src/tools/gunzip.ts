/**
 * Decompresses bodies that are gzip.
 *
 * @module
 */

import { gunzip } from "node:zlib";
import type { MessageFields } from "./message_form.ts";
import type { ToolLog } from "./tool_log.ts";

/** Bodies that would be longer are shown as they are, in bytes. */
export const GUNZIP_SIZE_MAX = 64 * 1024 * 1024;

/** Decompresses bodies, and says when one is damaged. */
export class Gunzip {
  readonly #log: ToolLog;

  constructor(log: ToolLog) {
    this.#log = log;
  }

  /** The body, decompressed if it is gzip and can be; otherwise as it is. */
  async body(message: MessageFields): Promise<Uint8Array> {
    const { body } = message;
    if (body.length < 2 || body[0] !== 0x1f || body[1] !== 0x8b) return body;
    try {
      // Not in one piece of this thread: a body may be long.
      return await new Promise<Uint8Array>((resolve, reject) => {
        gunzip(
          body,
          { maxOutputLength: GUNZIP_SIZE_MAX },
          (error, bytes) => error ? reject(error) : resolve(bytes),
        );
      });
    } catch (error) {
      this.#log.error(
        `message ${message.id} is shown as it is: not decompressed - ${(error as Error).message}`,
      );
      return body;
    }
  }
}
