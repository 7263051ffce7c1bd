import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { startNsqd } from "../support/nsqd_process.ts";

Deno.test("Nsqd refuses messages above --max-memory, and goes on serving", async () => {
  await using nsqd = await startNsqd({ args: ["--max-memory=1000000"] });
  await nsqd.run(async () => {
    await eventually("memory is looked at", () => nsqd.log.includes("messages are refused"));
    using client = await RawClient.connect(nsqd.tcpAddress);

    assertEquals(await client.ask(pub("t", "over TCP")), "E_PUB_FAILED PUB failed out of memory");
    const url = `http://${nsqd.httpAddress}`;
    const refused = await fetch(`${url}/pub?topic=t`, { method: "POST", body: "over HTTP" });
    assertEquals([refused.status, await refused.json()], [507, { message: "OUT_OF_MEMORY" }]);
    assertEquals(refused.headers.get("retry-after"), "1");
    assertEquals(await (await fetch(`${url}/ping`)).text(), "NOK - out of memory");
    using another = await RawClient.connect(nsqd.tcpAddress);
    assertEquals(await another.ask("SUB t c\n"), "OK");
  });
});
