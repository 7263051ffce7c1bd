/**
 * Starts an nsqadmin in the test's own process, alone or with a whole cluster: an nsqlookupd and nsqds.
 *
 * @module
 */

import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import type { TlsFiles } from "../../src/config/tls_files.ts";
import { ENGLISH } from "../../src/nsqadmin/console/texts/english.tsx";
import type { Texts } from "../../src/nsqadmin/console/texts/texts.ts";
import type { UserFile } from "../../src/nsqadmin/login/user_file.ts";
import { Nsqadmin } from "../../src/nsqadmin/nsqadmin.ts";
import { NSQADMIN_OPTIONS, type NsqadminOptions } from "../../src/nsqadmin/options.ts";
import type { Waits } from "../../src/nsqadmin/waits.ts";
import type { NsqdOptions } from "../../src/nsqd/options.ts";
import { eventually } from "./eventually.ts";
import { type NsqdInProcess, withDataPath, withNsqd } from "./nsqd_in_process.ts";
import { type NsqlookupdInProcess, withNsqlookupd } from "./nsqlookupd_in_process.ts";
import { freePort } from "./ports.ts";

/** An answer: its status, and what its JSON says, or its text. */
export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** A running nsqadmin. */
export class NsqadminInProcess {
  readonly nsqadmin: Nsqadmin;
  /** The log's lines, without prefix and time. */
  readonly lines: string[];

  constructor(nsqadmin: Nsqadmin, lines: string[]) {
    this.nsqadmin = nsqadmin;
    this.lines = lines;
  }

  get url(): string {
    return `http://127.0.0.1:${this.nsqadmin.httpPort}`;
  }

  /** Asks for something; a body that is no string is sent as JSON. */
  async ask(
    method: string,
    target: string,
    { body, headers = {} }: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<AdminAnswer> {
    const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(this.url + target, {
      method,
      headers,
      redirect: "manual",
      ...sent !== undefined && { body: sent },
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** The JSON of an answer. */
  async json(target: string): Promise<unknown> {
    return (await this.ask("GET", target)).json;
  }
}

/** So long that nobody who answers is late, on a machine that does other things, too. */
const PATIENT_MS = 20_000;
const PATIENT: Waits = { lateMs: PATIENT_MS, doubtfulMs: PATIENT_MS, bulkMs: PATIENT_MS };
/** Where somebody hangs, who is waited for as well: the others answer long before. */
export const IMPATIENT: Waits = { lateMs: 3000, doubtfulMs: 100, bulkMs: 100 };

/** Starts an nsqadmin for `use`, and stops it afterwards; returns its log. */
export async function withNsqadmin(
  options: Partial<NsqadminOptions>,
  use: (nsqadmin: NsqadminInProcess) => Promise<void>,
  { tls = { pair: undefined, rootCa: undefined }, token, users, waits = PATIENT, texts = ENGLISH }: {
    readonly tls?: TlsFiles;
    readonly token?: string | undefined;
    readonly users?: UserFile | undefined;
    readonly waits?: Waits;
    /** What pages say. */
    readonly texts?: Texts | undefined;
  } = {},
): Promise<string[]> {
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.info,
    write: (line) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length)),
  });
  // Nobody is asked for pages' numbers but when a test wants it.
  const quiet = { httpAddress: "127.0.0.1:0", pollIntervalMs: 600_000, history: false };
  const timeouts = { httpClientConnectTimeoutMs: PATIENT_MS, httpClientRequestTimeoutMs: PATIENT_MS };
  const given = { ...defaultOptions(NSQADMIN_OPTIONS), ...quiet, ...timeouts, ...options };
  const nsqadmin = new Nsqadmin({ options: given, tls, token, users, waits, texts }, logger);
  try {
    await nsqadmin.start();
    try {
      await use(new NsqadminInProcess(nsqadmin, lines));
    } finally {
      await nsqadmin.stop();
    }
  } catch (error) {
    console.error(`--- log of nsqadmin ---\n${lines.join("\n")}\n--- end of log ---`);
    throw error;
  }
  return lines;
}

/** An nsqlookupd, nsqds that are registered with it, and an nsqadmin. */
export interface ClusterInProcess {
  readonly lookupd: NsqlookupdInProcess;
  readonly nsqds: readonly NsqdInProcess[];
  readonly admin: NsqadminInProcess;
  /** Makes a topic with channels on all nsqds, of which the nsqlookupd knows then. */
  topic(name: string, ...channels: readonly string[]): Promise<void>;
}

/** What {@linkcode withCluster} may be told. */
export interface ClusterOptions {
  /** @default {1} */
  readonly nodes?: number;
  readonly nsqd?: Partial<NsqdOptions>;
  readonly nsqadmin?: Partial<NsqadminOptions>;
  /** The nsqadmin knows the nsqds by their list. */
  readonly listed?: boolean;
  /** Who must log in to the nsqadmin; otherwise everybody may do everything. */
  readonly users?: UserFile;
  /** What pages say. @default {ENGLISH} */
  readonly texts?: Texts;
}

/** Starts a cluster for `use`, and stops it afterwards. */
export async function withCluster(
  { nodes = 1, nsqd: nsqdOptions = {}, nsqadmin: adminOptions = {}, listed = false, users, texts }:
    ClusterOptions,
  use: (cluster: ClusterInProcess) => Promise<void>,
): Promise<void> {
  await withNsqlookupd({}, async (lookupd) => {
    const start = async (nsqds: readonly NsqdInProcess[]): Promise<void> => {
      if (nsqds.length < nodes) {
        const options: Partial<NsqdOptions> = {
          broadcastAddress: "127.0.0.1",
          // A test may stop it while the nsqadmin goes on asking: no stranger is to be given its port.
          httpAddress: `127.0.0.1:${freePort()}`,
          lookupdTcpAddresses: [lookupd.tcpAddress],
          ...nsqdOptions,
        };
        await withDataPath(async (dataPath) => {
          await withNsqd(dataPath, options, (nsqd) => start([...nsqds, nsqd]));
        });
        return;
      }
      await eventually("all nsqds are registered", async () => {
        return (await lookupd.json("/nodes") as { producers: unknown[] }).producers.length === nodes;
      });
      const sources: Partial<NsqadminOptions> = listed
        ? { nsqdHttpAddresses: nsqds.map(({ httpUrl }) => httpUrl.slice("http://".length)) }
        : { lookupdHttpAddresses: [lookupd.httpAddress] };
      await withNsqadmin({ ...sources, ...adminOptions }, async (admin) => {
        const topic = (name: string, ...channels: readonly string[]) =>
          makeTopic({ lookupd, nsqds }, name, channels);
        await use({ lookupd, nsqds, admin, topic });
      }, { users, texts });
    };
    await start([]);
  });
}

/** POSTs, and fails if that is not done. */
export async function post(url: string, body?: string): Promise<void> {
  const response = await fetch(url, { method: "POST", ...body !== undefined && { body } });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`);
}

/** Publishes to a topic; its channels, if there are any and it is not paused, have the messages then. */
export async function publish(
  nsqd: NsqdInProcess,
  topic: string,
  ...bodies: readonly string[]
): Promise<void> {
  for (const body of bodies) await post(`${nsqd.httpUrl}/pub?topic=${topic}`, body);
  await eventually("the channels have them", async () => {
    const stats = await statsOf(nsqd, topic);
    return stats !== undefined && (stats.depth === 0 || stats.paused || stats.channels.length === 0);
  });
}

/** What an nsqd says of a topic; undefined if it has none. */
export async function statsOf(nsqd: NsqdInProcess, topic: string): Promise<NsqdTopic | undefined> {
  const response = await fetch(`${nsqd.httpUrl}/stats?format=json&topic=${topic}`);
  const { topics } = await response.json() as { topics: NsqdTopic[] | null };
  return topics?.[0];
}

/** As far as tests look at it. */
export interface NsqdTopic {
  readonly depth: number;
  readonly paused: boolean;
  readonly channels: readonly {
    readonly channel_name: string;
    readonly depth: number;
    readonly paused: boolean;
  }[];
}

async function makeTopic(
  { lookupd, nsqds }: { readonly lookupd: NsqlookupdInProcess; readonly nsqds: readonly NsqdInProcess[] },
  name: string,
  channels: readonly string[],
): Promise<void> {
  for (const { httpUrl } of nsqds) {
    await post(`${httpUrl}/topic/create?topic=${name}`);
    for (const channel of channels) await post(`${httpUrl}/channel/create?topic=${name}&channel=${channel}`);
  }
  await eventually(`${name} is known`, async () => {
    const answer = await lookupd.json(`/lookup?topic=${name}`) as {
      producers?: unknown[];
      channels?: string[];
    };
    return answer.producers?.length === nsqds.length &&
      channels.every((each) => answer.channels?.includes(each));
  });
}
