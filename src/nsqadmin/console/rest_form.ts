/**
 * What is left of a change, as fields of the form that tries it again. They come back from a browser, so nobody is told who is
 * not known here, whatever address somebody brings.
 *
 * @module
 */

import { type Done, type Rest, restOf } from "../../cluster/cluster_actions.ts";
import type { Daemon } from "../../cluster/daemon_client.ts";
import type { Change } from "../changes.ts";
import type { PageRequest } from "./request.ts";

/** What is left after a try, with what was done in those before; undefined if nobody has done it, or it is tried as a whole. */
export function restAfter(change: Change, tried: Done): Rest | undefined {
  if (!("rest" in change) || "node" in change && change.node !== undefined) return undefined;
  const rest = restOf(tried);
  const done = [...change.rest?.done ?? [], ...rest.done];
  return tried.done.length === 0 && done.length === 0 ? undefined : { ...rest, done };
}

/** The fields of a form. */
export function restFields({ failed, done, isPartlyKnown }: Rest): Readonly<Record<string, string>> {
  const names = (daemons: readonly Daemon[]) =>
    daemons.map(({ kind, address }) => `${kind} ${address}`).join();
  return { failed: names(failed), "done-by": names(done), partly: String(isPartlyKnown) };
}

/** What is left by a form; undefined if it is a first try. */
export function restIn({ admin }: PageRequest, form: ReadonlyMap<string, string>): Rest | undefined {
  if (!form.has("partly")) return undefined;
  const { cluster, poller } = admin;
  const isKnown = ({ kind, address }: Daemon) =>
    kind === "nsqlookupd" ? cluster.lookupds.includes(address) : poller.node(address) !== undefined;
  return {
    failed: daemonsIn(form.get("failed")).filter(isKnown),
    done: daemonsIn(form.get("done-by")),
    isPartlyKnown: form.get("partly") === "true",
  };
}

function daemonsIn(text = ""): Daemon[] {
  return text.split(",").flatMap((name) => {
    const [kind, address = ""] = name.split(" ");
    return kind === "nsqd" || kind === "nsqlookupd" ? { kind, address } : [];
  });
}
