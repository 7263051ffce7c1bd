import { assertEquals } from "@std/assert";
import { withNsqlookupd } from "../support/nsqlookupd_in_process.ts";

Deno.test("Nsqlookupd notes changes over HTTP in its audit log, opens it anew when told to, and nothing that only reads", async () => {
  const folder = await Deno.makeTempDir({ prefix: "denosq_audit_" });
  try {
    const path = `${folder}/audit.log`;
    await withNsqlookupd({ auditLog: path }, async ({ nsqlookupd, httpAddress }) => {
      const ask = async (method: string, target: string) => {
        await (await fetch(`http://${httpAddress}${target}`, { method })).body?.cancel();
      };
      await ask("POST", "/topic/create?topic=t");
      await ask("GET", "/topics");
      await ask("POST", "/topic/delete");
      nsqlookupd.reload();
      await ask("POST", "/topic/tombstone?topic=t&node=n");
    });

    const events = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(
      events.map(({ program, event, method, target, status }) => [program, event, method, target, status]),
      [
        ["nsqlookupd", "admin", "POST", "/topic/create?topic=t", 200],
        ["nsqlookupd", "admin", "POST", "/topic/delete", 400],
        ["nsqlookupd", "admin", "POST", "/topic/tombstone?topic=t&node=n", 200],
      ],
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
