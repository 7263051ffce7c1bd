import { assertEquals, assertRejects } from "@std/assert";
import { RegistrationDb } from "../../src/cluster/registration_db.ts";
import { HttpError } from "../../src/http/http_error.ts";
import { DEBUG_PRODUCERS_MAX, debugAnswer } from "../../src/nsqlookupd/debug_answer.ts";
import { NODE } from "../support/lookup_frames.ts";

Deno.test("debugAnswer() tells DEBUG_PRODUCERS_MAX producers of topics and channels, and no more", async () => {
  const db = new RegistrationDb();
  const info = { ...NODE, remote_address: "127.0.0.1:1", topology_zone: "", topology_region: "" };
  const producer = db.addProducer("127.0.0.1:1", info, { wallMs: 0, monotonicMs: 0 });
  for (let i = 1; i < DEBUG_PRODUCERS_MAX; i++) db.register(producer, `t${i}`);

  const { size } = await debugAnswer(db);
  db.register(producer, "one-more");

  assertEquals(size, DEBUG_PRODUCERS_MAX);
  const refusal = await assertRejects(() => debugAnswer(db), HttpError, "TOO_MANY_REGISTRATIONS");
  assertEquals(refusal.status, 503);
});
