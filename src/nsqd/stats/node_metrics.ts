/**
 * The metrics of the node as a whole: what it is, whether it is well, what it had to refuse, its disk and its loop.
 *
 * @module
 */
import type { Moment } from "../../base/clock.ts";
import { labelText, type MetricFamily, single } from "../../base/exposition.ts";
import { FixedHistogram } from "../../base/fixed_histogram.ts";
import type { LoopLag } from "../../base/loop_lag.ts";
import type { BackgroundWork } from "../../broker/broker.ts";
import { buildInfo, processMetrics } from "../../http/process_metrics.ts";
import type { RequestCounts } from "../../http/request_counts.ts";
import { diskRoom } from "./disk_room.ts";

const SYNC_BOUNDS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** What a node counts for its metrics, besides topics and channels. */
export class NodeCounts {
  readonly requests: RequestCounts;
  readonly lag: LoopLag;
  /** How long syncs took, in s. */
  readonly syncs = new FixedHistogram(SYNC_BOUNDS_S);

  constructor({ requests, lag }: { readonly requests: RequestCounts; readonly lag: LoopLag }) {
    this.requests = requests;
    this.lag = lag;
  }
}

/** What the node tells. */
export interface NodeSource {
  readonly counts: NodeCounts;
  readonly started: Moment;
  /** Empty where nothing is kept on a disk. */
  readonly dataPath: string;
  readonly broker: { readonly backgroundWork: BackgroundWork };
  health(): string;
  sessions(): Iterable<unknown>;
  refused(): { readonly tcp: number; readonly http: number };
  /** What clients did wrong, and what they were refused, by kind. */
  readonly errors: { readonly counts: ReadonlyMap<string, number> };
  readonly statsdPackets: { readonly sent: number; readonly failed: number };
  readonly certificateExpiresMs: number | undefined;
}

/** The metrics. */
export async function nodeMetrics(source: NodeSource): Promise<MetricFamily[]> {
  const { counts, started } = source;
  return [
    buildInfo("nsq"),
    single("gauge", "nsq_up_since_seconds", "When nsqd was started, in s since 1970.", started.wallMs / 1000),
    single("gauge", "nsq_healthy", "1 while /ping says OK.", Number(source.health() === "OK")),
    single("gauge", "nsq_connected_clients", "TCP clients.", [...source.sessions()].length),
    ...certificate(source),
    ...refusals(source),
    ...backgroundMetrics(source),
    ...await diskMetrics(source.dataPath),
    {
      name: "nsq_fsync_duration_seconds",
      type: "histogram",
      help: "Time that syncing a topic's files took.",
      series: [{ labels: "", value: counts.syncs }],
    },
    counts.requests.family("nsq"),
    ...await processMetrics({ prefix: "nsq", startMs: started.wallMs, lag: counts.lag }),
  ];
}

/** What was refused or dropped, other than messages. */
function refusals(source: NodeSource): MetricFamily[] {
  const { tcp, http } = source.refused();
  const { sent, failed } = source.statsdPackets;
  return [
    {
      name: "nsq_refused_connections_total",
      type: "counter",
      help: "Connections that were refused, because there were too many.",
      series: [
        { labels: labelText({ protocol: "tcp" }), value: tcp },
        { labels: labelText({ protocol: "http" }), value: http },
      ],
    },
    {
      name: "nsq_client_errors_total",
      type: "counter",
      help: "What clients did wrong or were refused, by kind.",
      series: Array.from(source.errors.counts, ([code, value]) => ({ labels: labelText({ code }), value })),
    },
    single("counter", "nsq_statsd_packets_total", "Packets sent to statsd.", sent),
    single("counter", "nsq_statsd_failed_packets_total", "Packets that could not be sent to statsd.", failed),
  ];
}

function certificate({ certificateExpiresMs: ms }: NodeSource): MetricFamily[] {
  if (ms === undefined) return [];
  const help = "When nsqd's certificate expires, in s since 1970.";
  return [single("gauge", "nsq_tls_certificate_expiry_time_seconds", help, ms / 1000)];
}

function backgroundMetrics({ broker }: NodeSource): MetricFamily[] {
  const { tasks, segments, bytes } = broker.backgroundWork;
  return [
    single("gauge", "nsq_background_tasks", "Pieces of work that go on behind the answers.", tasks),
    single("gauge", "nsq_background_segments", "Segments that are being removed from the disk.", segments),
    single("gauge", "nsq_background_bytes", "Bytes of these.", bytes),
  ];
}

async function diskMetrics(path: string): Promise<MetricFamily[]> {
  const room = await diskRoom(path);
  if (room === undefined) return [];
  return [
    single("gauge", "nsq_data_path_free_bytes", "Bytes that can still be written there.", room.freeBytes),
    single(
      "gauge",
      "nsq_data_path_size_bytes",
      "Size of the file system with the data path.",
      room.sizeBytes,
    ),
  ];
}
