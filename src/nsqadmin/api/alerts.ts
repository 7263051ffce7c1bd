/**
 * `GET /api/alerts`: what is wrong by the rules.
 *
 * @module
 */

import { alertJson } from "../alerts/alerts.ts";
import type { AdminContext } from "../context.ts";

/** `GET /api/alerts` */
export async function alerts({ alerts, poller }: AdminContext): Promise<unknown> {
  await poller.look();
  return {
    alerts: [...alerts.firing, ...alerts.pending].map(alertJson),
    resolved: alerts.resolved.map(alertJson),
    left_out: alerts.leftOut,
    rules: alerts.rules.map(({ text }) => text),
  };
}
