/**
 * Why a client cannot connect.
 *
 * @module
 */

import { assertRejects, unreachable } from "@std/assert";
import type { Producer } from "../../src/client/mod.ts";

/** Lets a producer connect until that fails; it is closed afterwards. */
export async function connectFailure(producer: Producer): Promise<Error> {
  const statuses = producer.status();
  const ready = producer.ready();
  for await (const status of statuses) {
    if (status.kind !== "connect-failed") continue;
    await Promise.all([assertRejects(() => ready), producer.close()]);
    return status.error;
  }
  return unreachable();
}
