/**
 * What `/debug` answers (nsqlookupd/http.go, `doDebug`): the whole database, for people who look for a fault.
 *
 * @module
 */
import type { Moment } from "../base/clock.ts";
import { inSlices, TimeSlice } from "../base/time_slice.ts";
import type { Producer } from "../cluster/producer.ts";
import { EVERY_TOPIC, type RegistrationDb } from "../cluster/registration_db.ts";
import { HttpError } from "../http/http_error.ts";

/**
 * The most producers of topics and channels that are told, each producer again for each topic and channel: they come
 * to some 150 MB. A text of more than 512 MB cannot be made at all.
 */
export const DEBUG_PRODUCERS_MAX = 500_000;

const NS_PER_MS = 1e6;
/** Go's time that was never set, in ns, as far as a number holds it. */
const NEVER_NS = -6_795_364_578_871_345_000;

/**
 * Producers under `category:key:subkey`; what has none is left out.
 *
 * @throws {HttpError} 503 if there are too many.
 */
export async function debugAnswer(db: RegistrationDb): Promise<ReadonlyMap<string, unknown[]>> {
  const count = db.producers.reduce((sum, { registrationCount }) => sum + 1 + registrationCount, 0);
  if (count > DEBUG_PRODUCERS_MAX) throw new HttpError(503, "TOO_MANY_REGISTRATIONS");
  // An object of so many fields is rebuilt as it grows, and that in one go.
  const answer = new Map<string, unknown[]>();
  const add = (key: string, producers: readonly Producer[], tombstones?: ReadonlyMap<Producer, Moment>) => {
    if (producers.length === 0) return;
    answer.set(key, producers.map((producer) => describe(producer, tombstones?.get(producer))));
  };
  add("client::", db.producers);
  const slice = new TimeSlice();
  for (const { name, producers, channels, tombstones } of db.topics(EVERY_TOPIC)) {
    add(`topic:${name}:`, producers, tombstones);
    await inSlices(
      channels,
      ([channel, itsProducers]) => add(`channel:${name}:${channel}`, itsProducers),
      slice,
    );
  }
  return answer;
}

function describe({ id, info, lastUpdate }: Producer, tombstoned: Moment | undefined): unknown {
  return {
    broadcast_address: info.broadcast_address,
    hostname: info.hostname,
    http_port: info.http_port,
    id,
    last_update: Math.round(lastUpdate.wallMs * NS_PER_MS),
    tcp_port: info.tcp_port,
    tombstoned: tombstoned !== undefined,
    tombstoned_at: tombstoned === undefined ? NEVER_NS : Math.round(tombstoned.wallMs * NS_PER_MS),
    topology_region: info.topology_region,
    topology_zone: info.topology_zone,
    version: info.version,
  };
}
