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
  readonly pid: number;
}

/** Those who work with it, as far as an attack may know. */
export interface Bystanders {
  /** How often they have been answered. */
  readonly servedCount: number;
  /** How often they have been refused. */
  readonly refusedCount: number;
}

/** An attack. */
export interface HostileScenario {
  readonly name: string;
  readonly program: "nsqd" | "nsqlookupd";
  /** Flags of the daemon; limits may be lower than by default, so that they are met. */
  readonly args?: readonly string[];
  /** HTTPS is served, too, for which there must be `openssl`. @default {false} */
  readonly onHttps?: boolean;
  /** The data path is on a disk of this size, as `mount` takes it, for which mounting must be allowed. */
  readonly diskSize?: string;
  /** The daemon may open this many files and connections. */
  readonly filesMax?: number;
  /** Whoever publishes may be refused until the attack has ended. @default {false} */
  readonly mayRefuse?: boolean;
  /** Between two heartbeats of who consumes beside the attack, in ms. @default {60000} */
  readonly heartbeatMs?: number;
  /** Plays it once; everything that is random comes from `random`. */
  attack(target: Target, random: Random, bystanders: Bystanders): Promise<void>;
}
