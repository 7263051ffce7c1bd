import { assertEquals, assertStringIncludes } from "@std/assert";
import { AT_A_TIME_MAX } from "../../../src/nsqadmin/bulk.ts";
import { UserFile } from "../../../src/nsqadmin/login/user_file.ts";
import { fakeNode, pageAt } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { TempFolder } from "../../support/interop.ts";
import { logIn, userLines } from "../../support/login.ts";
import {
  IMPATIENT,
  type NsqadminInProcess,
  post,
  statsOf,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import { nsqdTest } from "../../support/nsqd_in_process.ts";

/** Redriven by one a second, they are enough for it to go on until it ends for another reason. */
const COUNT = 100;

/** An nsqadmin with these users, whose file can be changed; returns its log, and its audit log. */
async function withUsers(
  roles: Readonly<Record<string, string>>,
  nsqd: string,
  use: (
    admin: NsqadminInProcess,
    change: (roles: Readonly<Record<string, string>>) => Promise<void>,
  ) => Promise<void>,
): Promise<{ readonly lines: readonly string[]; readonly audit: string }> {
  await using folder = await TempFolder.make();
  const userFile = `${folder.path}/users`;
  await Deno.writeTextFile(userFile, userLines(roles), { mode: 0o600 });
  const auditLog = `${folder.path}/audit.log`;
  const options = { nsqdHttpAddresses: [nsqd], userFile, auditLog };
  const lines = await withNsqadmin(options, (admin) =>
    use(admin, async (roles) => {
      await Deno.writeTextFile(userFile, userLines(roles));
      admin.nsqadmin.reload();
    }), { users: UserFile.read(userFile), waits: IMPATIENT });
  return { lines, audit: await Deno.readTextFile(auditLog) };
}

nsqdTest("A redrive ends when who began it is no admin any more, and not when he logs out", async (nsqd) => {
  await post(`${nsqd.httpUrl}/topic/create?topic=t.dead`);
  await post(`${nsqd.httpUrl}/channel/create?topic=t.dead&channel=c`);
  await post(
    `${nsqd.httpUrl}/mpub?topic=t.dead`,
    Array.from({ length: COUNT }, (_, i) => `m${i}`).join("\n"),
  );
  let redriven = 0;
  const { lines, audit } = await withUsers(
    { anna: "admin", ben: "admin" },
    nsqd.httpUrl.slice("http://".length),
    async (admin, change) => {
      const [anna, ben] = [await logIn(admin, "anna"), await logIn(admin, "ben")];
      const body = { topic: "t.dead", channel: "c", to: "t", rate: 1 };
      await admin.ask("POST", "/api/redrives", { body, headers: anna });
      const [redrive] = admin.nsqadmin.redrives.running;

      await admin.ask("POST", "/logout", { headers: anna });
      await eventually("it goes on", () => redrive.redriven > 0);
      assertStringIncludes((await pageAt(admin, "/topics", ben)).text, "Under way: One redrive");
      await change({ anna: "operator", ben: "admin" });
      const end = await eventually("its end stands in the activity", async () => {
        const { json } = await admin.ask("GET", "/api/activity?filter=end-redrive", { headers: ben });
        return (json as { activity: Record<string, unknown>[] }).activity[0];
      });

      redriven = redrive.redriven;
      const shown = await pageAt(admin, "/redrives", ben);
      assertStringIncludes(shown.text, "revoked : anna may not redrive any more");
      assertEquals(shown.text.includes("Under way"), false);
      const { time: _time, user_agent: _agent, address: _address, ...ended } = end;
      assertEquals(ended, {
        ...{ user: "anna", action: "end-redrive", topic: "t.dead", channel: "c", to: "t" },
        detail: `revoked: ${redriven} of ${COUNT} published, 0 put back - anna may not redrive any more`,
        ...{ status: 403, outcome: "partly", results: [], results_left_out: 0 },
      });
      await eventually("the others are there", async () => {
        return (await statsOf(nsqd, "t.dead"))?.channels[0].depth === COUNT - redriven;
      });
    },
  );

  const [told, ...more] = lines.filter((line) => line.includes("revoked"));
  assertStringIncludes(
    told,
    `revoked: ${redriven} of ${COUNT} are published, 0 put back - anna may not redrive`,
  );
  assertEquals(more, []);
  const { time: _time, address: _address, ...audited } = JSON.parse(audit.trimEnd().split("\n").at(-1) ?? "");
  assertEquals(audited, {
    ...{ program: "nsqadmin", event: "end-redrive", token: "anna", target: "/redrives/1", topic: "t.dead" },
    ...{ channel: "c", to: "t", state: "revoked", count: COUNT, redriven, put_back: 0, status: 403 },
    reason: "anna may not redrive any more",
  });
});

Deno.test("A change of many stops when who began it is gone, and not when he logs out", async () => {
  const names = Array.from({ length: 3 * AT_A_TIME_MAX }, (_, i) => `t${i}`);
  const told: PromiseWithResolvers<Response>[] = [];
  await using node = fakeNode(({ method }) => {
    if (method !== "POST") return Response.json({ topics: names.map((topic_name) => ({ topic_name })) });
    told.push(Promise.withResolvers());
    return told.at(-1)?.promise ?? Response.error();
  });
  let detail = "";
  const { lines, audit } = await withUsers(
    { anna: "operator", ben: "viewer" },
    node.address,
    async (admin, change) => {
      const [anna, ben] = [await logIn(admin, "anna"), await logIn(admin, "ben")];
      const body = `of=topics&action=pause&${names.map((name) => `name=${name}`).join("&")}`;
      const { headers } = await admin.ask("POST", "/bulk", { body, headers: anna });
      const path = headers.get("location") ?? "";
      const [go] = admin.nsqadmin.bulk.running;

      await eventually("the first are told", () => told.length === AT_A_TIME_MAX);
      await admin.ask("POST", "/logout", { headers: anna });
      told[0].resolve(new Response(""));
      await eventually("it goes on", () => told.length > AT_A_TIME_MAX);
      const running = await pageAt(admin, "/", ben);
      assertStringIncludes(running.text, `Under way: Pause ${names.length} topics`);
      assertEquals(running.links.includes(path), true);
      await change({ ben: "viewer" });
      for (const { resolve } of told) resolve(new Response(""));
      await go.finished;

      assertEquals(go.counts, { done: told.length, failed: 0, left: names.length - told.length });
      detail = `${told.length} done, 0 failed, ${names.length - told.length} not tried`;
      const { json } = await admin.ask("GET", "/api/activity?filter=end-bulk", { headers: ben });
      const { activity: [ended, ...others] } = json as { activity: Record<string, unknown>[] };
      assertEquals([ended.user, ended.status, ended.outcome, others.length], ["anna", 403, "partly", 0]);
      assertEquals(
        ended.detail,
        `revoked: pause of ${names.length}, ${detail} - anna may not pause any more`,
      );
      assertStringIncludes(
        (await pageAt(admin, path, ben)).text,
        "It was stopped before all was done. It was stopped: anna may not pause any more.",
      );
    },
  );

  const [end, ...others] = audit.trimEnd().split("\n").map((line) => JSON.parse(line)).filter(({ event }) =>
    event === "end-bulk"
  );
  assertEquals([end.token, end.action, end.state, end.count, end.status, end.reason, others.length], [
    ...["anna", "pause", "revoked", names.length, 403, "anna may not pause any more", 0],
  ]);
  assertEquals(`${end.done} done, ${end.failed} failed, ${end.not_tried} not tried`, detail);
  assertEquals(
    lines.filter((line) => /BULK\(.*\): pause is stopped - anna may not pause/.test(line)).length,
    1,
  );
});
