import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import type { ProducerInfo } from "../../../src/cluster/producer.ts";
import { RegistrationDb } from "../../../src/cluster/registration_db.ts";
import { Router } from "../../../src/http/router.ts";
import { lookupEndpoints } from "../../../src/nsqd/api/lookup.ts";
import { callHandler } from "../../support/http_call.ts";

const INFO: ProducerInfo = {
  remote_address: "10.0.0.1:7946",
  hostname: "host",
  broadcast_address: "node",
  tcp_port: 4150,
  http_port: 4151,
  version: "1.3.0",
  topology_zone: "",
  topology_region: "",
};
const JSON_INFO =
  '{"remote_address":"10.0.0.1:7946","hostname":"host","broadcast_address":"node","tcp_port":4150,"http_port":4151,"version":"1.3.0","topology_zone":"","topology_region":""';

Deno.test("lookupEndpoints() answers /lookup, /topics, /channels and /nodes as nsqlookupd does", async () => {
  const db = new RegistrationDb();
  db.register(db.addProducer("node:4150", INFO, { wallMs: 0, monotonicMs: 0 }), "t", "c");

  assertEquals(await get(db, "/lookup?topic=t"), [200, `{"channels":["c"],"producers":[${JSON_INFO}}]}`]);
  assertEquals(await get(db, "/topics"), [200, '{"topics":["t"]}']);
  assertEquals(await get(db, "/channels?topic=t"), [200, '{"channels":["c"]}']);
  assertEquals(await get(db, "/channels?topic=unknown"), [200, '{"channels":[]}']);
  assertEquals(await get(db, "/nodes"), [
    200,
    `{"producers":[${JSON_INFO},"tombstones":[false],"topics":["t"]}]}`,
  ]);
});

Deno.test("lookupEndpoints() refuses as nsqlookupd does", async () => {
  const db = new RegistrationDb();

  assertEquals(await get(db, "/lookup?topic=t"), [404, '{"message":"TOPIC_NOT_FOUND"}']);
  assertEquals(await get(db, "/lookup"), [400, '{"message":"MISSING_ARG_TOPIC"}']);
  assertEquals(await get(db, "/channels"), [400, '{"message":"MISSING_ARG_TOPIC"}']);
  assertEquals(await get(db, "/lookup?topic=%zz"), [400, '{"message":"INVALID_REQUEST"}']);
});

Deno.test("lookupEndpoints() says so as long as gossip has not begun", async () => {
  assertEquals(await get(undefined, "/lookup?topic=t"), [400, '{"message":"GOSSIP_NOT_ENABLED"}']);
});

Deno.test("lookupEndpoints() are for those who may read", () => {
  const access = lookupEndpoints(silent(), () => undefined).map((
    { access, method, path },
  ) => [access, method, path]);

  assertEquals(access, [
    ["read", "GET", "/lookup"],
    ["read", "GET", "/topics"],
    ["read", "GET", "/channels"],
    ["read", "GET", "/nodes"],
  ]);
});

async function get(db: RegistrationDb | undefined, target: string): Promise<[number, string]> {
  const logger = silent();
  const router = new Router({ routes: lookupEndpoints(logger, () => db), logger });
  const { status, text } = await callHandler(router.handle, { target });
  return [status, text];
}

function silent(): Logger {
  return new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} });
}
