/**
 * Whether an nsqd serves a client that shows certificates, over TCP and HTTPS, in either version of TLS, and when a session
 * is resumed.
 *
 * @module
 */

import { request } from "node:https";
import { AssertionError } from "@std/assert";
import { LayeredClient } from "./layered_client.ts";

/** Where it listens, `host:port`. */
export interface TlsAddresses {
  readonly tcpAddress: string;
  readonly httpsAddress: string;
}

/** What the client shows, in PEM form. */
export interface Shown {
  readonly cert: string;
  readonly key: string;
}

/** True for each way in which the client is served. */
export async function verdicts(
  { tcpAddress, httpsAddress }: TlsAddresses,
  shown: Shown,
): Promise<Record<string, boolean>> {
  const said: Record<string, boolean> = {};
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    // The second time the session is resumed, if there is one.
    for (const time of ["first", "second"]) {
      said[`TCP, ${maxVersion}, ${time} time`] = await isServedOverTcp(tcpAddress, { ...shown, maxVersion });
      said[`HTTPS, ${maxVersion}, ${time} time`] = await isServedOverHttps(httpsAddress, {
        ...shown,
        maxVersion,
      });
    }
  }
  return said;
}

type ShownIn = Shown & { readonly maxVersion: "TLSv1.2" | "TLSv1.3" };

async function isServedOverTcp(address: string, shown: ShownIn): Promise<boolean> {
  using client = await LayeredClient.connect(address);
  try {
    await client.upgrade({ tls: { ...shown, rejectUnauthorized: false } });
    return await client.ask("PUB t#ephemeral\n\0\0\0\x01x") === "OK";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // No answer, or an alert, or a connection that has ended: but not one that waits.
    if (error instanceof AssertionError && error.message.startsWith("No frame")) throw error;
    return false;
  }
}

function isServedOverHttps(address: string, shown: ShownIn): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const asked = request(
      { host, port, path: "/ping", rejectUnauthorized: false, agent: false, ...shown },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode === 200));
      },
    );
    asked.once("error", () => resolve(false));
    asked.end();
  });
}
