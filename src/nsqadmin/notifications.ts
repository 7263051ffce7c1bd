/**
 * Notifications, of changes (nsqadmin/notify.go) and of alerts: a POST of each to an endpoint, one after the other. Nobody waits
 * for them, and what the endpoint does not take is lost, with a line in the log.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import { Backoff } from "../base/backoff.ts";
import { hideCredentials } from "../base/credentials.ts";
import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import { Seldom } from "../base/seldom.ts";
import type { HttpClient } from "../http/http_client.ts";
import { goJson } from "../http/json_pieces.ts";

/** What somebody has done, in the form and order of NSQ's JSON; what says nothing is left out. */
export interface AdminAction {
  readonly action: string;
  /** Undefined where it is about a node. */
  readonly topic: string | undefined;
  readonly channel: string | undefined;
  readonly node: string | undefined;
  /** Its id; of no change that NSQ has. */
  readonly message?: string | undefined;
  /** Who was cut off; of no change that NSQ has. */
  readonly client?: string | undefined;
  /** The topic that messages go to; of no change that NSQ has. */
  readonly to?: string | undefined;
  /** In s. */
  readonly timestamp: number;
  readonly user: string | undefined;
  /** With the port. */
  readonly remote_ip: string;
  readonly user_agent: string;
  /** Of the request. */
  readonly url: string;
  /** Host name of this nsqadmin. */
  readonly via: string;
}

/** Notifications that wait; further ones are lost. */
export const NOTIFICATIONS_MAX = 1000;
/** How long the second try waits, in ms; each further one waits twice as long as the one before. */
const RETRY_MIN_MS = 1000;
/** How long a try waits at most, in ms. */
const RETRY_MAX_MS = 30_000;

/** What {@linkcode Notifications} is given. */
export interface NotificationsOptions {
  readonly endpoint: string;
  readonly http: HttpClient;
  readonly logger: Logger;
  /** Where it must answer with a status of 2xx, or is asked again; by default any answer will do, and there is one try. */
  readonly retry?: {
    /** Tries in all. */
    readonly tries: number;
    /** Ends waiting for the next. */
    readonly signal: AbortSignal;
    /** @default {RETRY_MIN_MS} */
    readonly waitMinMs?: number;
  };
}

/** Sends notifications. */
export class Notifications<T = AdminAction> {
  readonly #options: NotificationsOptions;
  readonly #endpoint: URL;
  readonly #queue = new AsyncQueue<T>({ countMax: NOTIFICATIONS_MAX });
  readonly #dropped: Seldom;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.endpoint);
    this.#dropped = new Seldom((text) => options.logger.error(text));
  }

  /** Is sent when those before are. */
  add(notification: T): void {
    if (!this.#queue.push(notification)) {
      this.#dropped.say(`dropped a notification: ${NOTIFICATIONS_MAX} are waiting`);
    }
  }

  /** Sends what is added until {@linkcode end}. Never rejects. */
  async run(): Promise<void> {
    for await (const notification of this.#queue) await this.#send(goJson(JSON.stringify(notification)));
  }

  /** What has been added is sent yet, as far as requests may still be made. */
  end(): void {
    this.#queue.end();
  }

  async #send(body: string): Promise<void> {
    const { logger, retry } = this.#options;
    const waits = new Backoff({ minMs: retry?.waitMinMs ?? RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    for (let left = retry?.tries ?? 1; left > 0; left--) {
      logger.info(`POSTing notification to ${hideCredentials(this.#endpoint.href)}`);
      try {
        return await this.#post(body);
      } catch (error) {
        // Unlike NSQ, which ends (docs/compatibility.md).
        logger.error(`failed to POST notification - ${hideCredentials(errorText(error))}`);
      }
      if (retry === undefined || retry.signal.aborted || left === 1) return;
      await sleep(waits.next(), retry.signal);
    }
  }

  async #post(body: string): Promise<void> {
    const { http, retry } = this.#options;
    await http.send({
      method: "POST",
      url: this.#endpoint,
      headers: [["Content-Type", "application/json"]],
      body,
    }, ({ status }) => {
      // NSQ compat: whatever the endpoint answers will do, where nothing is tried again.
      if (retry !== undefined && (status < 200 || status > 299)) throw new Error(`got response ${status}`);
    });
  }
}
