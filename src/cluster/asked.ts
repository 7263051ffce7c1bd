/**
 * Asking many daemons the same, all at the same time: one that fails takes nothing from what the others say
 * (internal/clusterinfo, `PartialErr`).
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { othersFirst } from "../base/every.ts";
import { type Daemon, RefusedError } from "./daemon_client.ts";

/** A daemon that has not answered, or not with what was asked for. */
export interface Failure {
  readonly daemon: Daemon;
  readonly reason: string;
  /** What it gives as the reason, where it has refused: `TOPIC_NOT_FOUND`. */
  readonly code?: string;
  /** It was told to do something, and not asked. */
  readonly wasTold?: boolean;
}

/** He has answered: that he has no such topic, or channel. */
export function hasNone({ code }: Failure): boolean {
  return code === "TOPIC_NOT_FOUND" || code === "CHANNEL_NOT_FOUND";
}

/** Those who tell of a cluster's nodes. */
export interface Registries {
  readonly kind: Daemon["kind"];
  readonly addresses: readonly string[];
}

/** What came of asking. */
export interface Answered<T> {
  readonly value: T;
  /** Of those that did not answer; what they would have said is missing in the value. */
  readonly failures: readonly Failure[];
}

/** None has answered. */
export class UnansweredError extends Error {
  override readonly name = "UnansweredError";
  readonly failures: readonly Failure[];

  constructor(kind: Daemon["kind"], failures: readonly Failure[]) {
    super(`failed to query any ${kind}: ${failureText(failures)}`);
    this.failures = failures;
  }
}

/** Daemons that are asked in one go: as many as a cluster may well have, and no more because somebody says so. */
export const DAEMONS_MAX = 5000;

/** Daemons of those that begin to be asked in one turn. */
const BEGUN_IN_TURN = 16;

/**
 * Asks all daemons.
 *
 * @throws {UnansweredError} If none has answered, also because there is none.
 */
export async function askAll<T>(
  kind: Daemon["kind"],
  addresses: readonly string[],
  ask: (daemon: Daemon) => Promise<T>,
): Promise<Answered<readonly T[]>> {
  const { answers, failures } = await tell(kind, addresses, ask);
  // NSQ compat: nobody to ask is nobody who has answered.
  if (failures.length === addresses.length) throw new UnansweredError(kind, failures);
  return { value: answers, failures };
}

/** Daemons are asked, for somebody who may not wait until the last of them has answered. */
export interface Question<T, Whole extends Answered<T> = Answered<T>> {
  /** @throws {UnansweredError} */
  readonly all: Promise<Whole>;
  /** What there is by now, and who has neither answered nor failed. */
  readonly soFar: () => Whole & { readonly late: readonly Daemon[] };
}

/** Asks all daemons as {@linkcode askAll}, for who does not wait. */
export function beginToAsk<T>(
  kind: Daemon["kind"],
  addresses: readonly string[],
  ask: (daemon: Daemon) => Promise<T>,
): Question<readonly T[]> {
  const value: T[] = [];
  const failures: Failure[] = [];
  const waitedFor = new Set(addresses);
  const all = askAll(kind, addresses, async (daemon) => {
    try {
      const answer = await ask(daemon);
      value.push(answer);
      return answer;
    } catch (error) {
      failures.push(failureOf(daemon, error));
      throw error;
    } finally {
      waitedFor.delete(daemon.address);
    }
  });
  const soFar = () => ({
    value,
    failures,
    late: Array.from(waitedFor, (address): Daemon => ({ kind, address })),
  });
  return { all, soFar };
}

/** Asks all daemons, of which all may fail. Never rejects. */
export async function tell<T>(
  kind: Daemon["kind"],
  addresses: readonly string[],
  ask: (daemon: Daemon) => Promise<T>,
): Promise<{ readonly answers: readonly T[]; readonly failures: readonly Failure[] }> {
  const answers: T[] = [];
  const failures: Failure[] = [];
  const one = async (address: string, i: number) => {
    const daemon: Daemon = { kind, address };
    try {
      if (i >= DAEMONS_MAX) throw new Error(`not asked: there are more than ${DAEMONS_MAX} of them`);
      return { answer: await ask(daemon) };
    } catch (error) {
      return failureOf(daemon, error);
    }
  };
  const asking: ReturnType<typeof one>[] = [];
  for (const [i, address] of addresses.entries()) {
    // To begin a request takes a while: hundreds would hold up all others.
    if (i > 0 && i % BEGUN_IN_TURN === 0) await othersFirst();
    asking.push(one(address, i));
  }
  for (const each of await Promise.all(asking)) {
    if ("answer" in each) answers.push(each.answer);
    else failures.push(each);
  }
  return { answers, failures };
}

function failureOf(daemon: Daemon, error: unknown): Failure {
  const code = error instanceof RefusedError ? error.code : undefined;
  return { daemon, reason: errorText(error), ...code !== undefined && { code } };
}

/** All reasons, a line for each. */
export function failureText(failures: readonly Failure[]): string {
  return failures.map(({ reason }) => reason).join("\n");
}
