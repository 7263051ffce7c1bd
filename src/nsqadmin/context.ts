/**
 * What the HTTP side of nsqadmin asks of the daemon it belongs to. Types only.
 *
 * @module
 */

import type { Audit } from "../base/audit_log.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger, LogLevel } from "../base/logger.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Readiness } from "../http/health_pages.ts";
import type { HttpClient } from "../http/http_client.ts";
import type { ActivityLog } from "./activity.ts";
import type { Alerts } from "./alerts/alerts.ts";
import type { BulkGoes } from "./bulk.ts";
import type { ClusterViews } from "./console/cluster_views.ts";
import type { PageEvents } from "./console/events.ts";
import type { Texts } from "./console/texts/texts.ts";
import type { Logins } from "./login/logins.ts";
import type { MetricsSource } from "./metrics.ts";
import type { AdminAction } from "./notifications.ts";
import type { NsqadminOptions } from "./options.ts";
import type { TrustedProxies } from "./proxies.ts";
import type { Redrives } from "./redrive/redrives.ts";
import type { Taps } from "./tap/taps.ts";
import type { Waits } from "./waits.ts";
import type { Poller } from "./watch/poller.ts";

/** See above. */
export interface AdminContext extends MetricsSource {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cluster: Cluster;
  /** What the pages are made of. */
  readonly poller: Poller;
  /** The same, of what the poller does not know. */
  readonly views: ClusterViews;
  /** What is wrong by rules. */
  readonly alerts: Alerts;
  /** What pages say, where that is not English. */
  readonly texts: Texts | undefined;
  /** Tells open pages of its rounds. */
  readonly events: PageEvents;
  /** Messages that are being published again. */
  readonly redrives: Redrives;
  /** Live looks at messages. */
  readonly taps: Taps;
  /** Makes requests to others than daemons. */
  readonly http: HttpClient;
  /** How long pages wait for what they can do without. */
  readonly waits: Waits;
  readonly hostname: string;
  /** Whether it can serve. */
  readonly readiness: Readiness;
  readonly audit: Audit | undefined;
  /** What people have done lately. */
  readonly activity: ActivityLog;
  /** In front, those that are known. */
  readonly proxies: TrustedProxies | undefined;
  /** What is done with many topics or channels at once. */
  readonly bulk: BulkGoes;
  /** Who has logged in; undefined where nobody has to. */
  readonly logins: Logins | undefined;
  /** As they are now. */
  readonly options: NsqadminOptions;
  setLogLevel(level: LogLevel): void;
  setLookupdAddresses(addresses: readonly string[]): void;
  /** What `GET /config/<key>` shows; `undefined` if no option has that key. */
  optionValue(key: string): unknown;
  /** Tells whoever is to be told of changes. */
  notify(action: AdminAction): void;
}
