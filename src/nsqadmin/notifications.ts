/**
 * Notifications of changes (nsqadmin/notify.go): a POST of each to an endpoint, one after the other. Nobody waits for them,
 * and what the endpoint does not take is lost, with a line in the log.
 *
 * @module
 */

import { AsyncQueue } from "../base/async_queue.ts";
import { hideCredentials } from "../base/credentials.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { Seldom } from "../base/seldom.ts";
import type { HttpClient } from "../http/http_client.ts";
import { goJson } from "../http/json_pieces.ts";

/** What somebody has done, in the form and order of NSQ's JSON; what says nothing is left out. */
export interface AdminAction {
  readonly action: string;
  readonly topic: string;
  readonly channel: string | undefined;
  readonly node: string | undefined;
  /** Its id; of no change that NSQ has. */
  readonly message?: string | undefined;
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

/** Sends notifications. */
export class Notifications {
  readonly #endpoint: URL;
  readonly #http: HttpClient;
  readonly #logger: Logger;
  readonly #queue = new AsyncQueue<AdminAction>({ countMax: NOTIFICATIONS_MAX });
  readonly #dropped: Seldom;

  constructor({ endpoint, http, logger }: { endpoint: string; http: HttpClient; logger: Logger }) {
    this.#endpoint = new URL(endpoint);
    this.#http = http;
    this.#logger = logger;
    this.#dropped = new Seldom((text) => logger.error(text));
  }

  /** Is sent when those before are. */
  add(action: AdminAction): void {
    if (!this.#queue.push(action)) {
      this.#dropped.say(`dropped a notification: ${NOTIFICATIONS_MAX} are waiting`);
    }
  }

  /** Sends what is added until {@linkcode end}. Never rejects. */
  async run(): Promise<void> {
    for await (const action of this.#queue) await this.#send(action);
  }

  /** What has been added is sent yet, as far as requests may still be made. */
  end(): void {
    this.#queue.end();
  }

  async #send(action: AdminAction): Promise<void> {
    this.#logger.info(`POSTing notification to ${hideCredentials(this.#endpoint.href)}`);
    try {
      // NSQ compat: whatever the endpoint answers will do.
      await this.#http.send({
        method: "POST",
        url: this.#endpoint,
        headers: [["Content-Type", "application/json"]],
        body: goJson(JSON.stringify(action)),
      }, () => {});
    } catch (error) {
      // Unlike NSQ, which ends (docs/compatibility.md).
      this.#logger.error(`failed to POST notification - ${hideCredentials(errorText(error))}`);
    }
  }
}
