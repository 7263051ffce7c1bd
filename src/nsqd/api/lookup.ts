/**
 * The endpoints of nsqlookupd that an nsqd with gossip answers itself, so that clients can be pointed at any nsqd in
 * its place. There are none without gossip, as in NSQ.
 *
 * @module
 */
import type { Logger } from "../../base/logger.ts";
import type { LookupTimes } from "../../cluster/lookup_answers.ts";
import type { RegistrationDb } from "../../cluster/registration_db.ts";
import { log, v1 } from "../../http/decorators.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { requestParams, requiredParam } from "../../http/request_params.ts";
import { type Endpoint, endpoint } from "./guard.ts";

/** Gossip knows who is there, and has no tombstones: what it knows counts, however long ago it was heard. */
const ALWAYS: LookupTimes = { monotonicMs: 0, inactiveProducerTimeoutMs: Infinity, tombstoneLifetimeMs: 0 };

/** What nsqlookupd answers; loaded with the first request. */
type Answers = typeof import("../../cluster/lookup_answers.ts");

/** The endpoints; `database` is asked anew for each request. */
export function lookupEndpoints(logger: Logger, database: () => RegistrationDb | undefined): Endpoint[] {
  const logged = log(logger);
  const api = (answer: (answers: Answers, db: RegistrationDb, request: RequestContext) => unknown) =>
    v1(logged(async (request) => {
      const db = database();
      if (db === undefined) throw new HttpError(400, "GOSSIP_NOT_ENABLED");
      return await answer(await import("../../cluster/lookup_answers.ts"), db, request);
    }));

  return [
    endpoint("read", "GET", "/lookup", api(lookup)),
    endpoint("read", "GET", "/topics", api(({ topicsAnswer }, db) => topicsAnswer(db))),
    endpoint("read", "GET", "/channels", api(channels)),
    endpoint("read", "GET", "/nodes", api(({ nodesAnswer }, db) => nodesAnswer(db, ALWAYS))),
  ];
}

/** `GET /lookup` */
async function lookup(
  { lookupAnswer }: Answers,
  db: RegistrationDb,
  request: RequestContext,
): Promise<unknown> {
  const answer = await lookupAnswer(db, requiredParam(requestParams(request), "topic"), ALWAYS);
  if (answer === undefined) throw new HttpError(404, "TOPIC_NOT_FOUND");
  return answer;
}

/** `GET /channels` */
function channels(
  { channelsAnswer }: Answers,
  db: RegistrationDb,
  request: RequestContext,
): Promise<unknown> {
  return channelsAnswer(db, requiredParam(requestParams(request), "topic"));
}
