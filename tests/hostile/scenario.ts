/**
 * What somebody does who means a daemon ill, beside somebody who works with it all the while; and what must hold at the end.
 *
 * @module
 */

import type { Random } from "../support/random.ts";

/** A daemon that is attacked. */
export interface Target {
  readonly tcpAddress: string;
  readonly httpAddress: string;
  /** Empty unless the scenario is for it. */
  readonly httpsAddress: string;
}

/** An attack. */
export interface HostileScenario {
  readonly name: string;
  readonly program: "nsqd" | "nsqlookupd";
  /** Flags of the daemon; limits may be lower than by default, so that they are met. */
  readonly args?: readonly string[];
  /** HTTPS is served, too, for which there must be `openssl`. @default {false} */
  readonly onHttps?: boolean;
  /** Plays it once; everything that is random comes from `random`. */
  attack(target: Target, random: Random): Promise<void>;
}
