import { assertEquals } from "@std/assert";
import { AuthServer } from "../support/auth_server.ts";
import { eventually } from "../support/eventually.ts";
import { FakeLookupd } from "../support/fake_lookupd.ts";
import { pub, withBody } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { startNsqd } from "../support/nsqd_process.ts";

/** Takes connections, and counts them. */
class Proxy implements AsyncDisposable {
  count = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #done = this.#run();

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#done;
  }

  async #run(): Promise<void> {
    for await (const connection of this.#listener) {
      this.count++;
      connection.close();
    }
  }
}

const VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"];

Deno.test("nsqd asks auth servers and nsqlookupds itself, whatever proxies the environment names", async () => {
  await using proxy = new Proxy();
  const authorizations = [{ topic: ".*", channels: [".*"], permissions: ["publish"] }];
  await using auth = new AuthServer(() => Response.json({ ttl: 60, authorizations }));
  await using lookupd = new FakeLookupd({ channels: () => Response.json({ channels: ["known"] }) });
  const env = Object.fromEntries(VARIABLES.map((name) => [name, proxy.url]));
  await using nsqd = await startNsqd({
    args: [`--auth-http-address=${auth.address}`, `--lookupd-tcp-address=${lookupd.address}`],
    env: { ...env, NODE_USE_ENV_PROXY: "1" },
  });

  await nsqd.run(async () => {
    using client = await RawClient.connect(nsqd.tcpAddress);
    const answer = await client.ask(withBody("AUTH", "s3cret"));
    assertEquals(JSON.parse(answer).permission_count, 1);
    assertEquals(await client.ask(pub("t", "x")), "OK");
    await eventually("the channels are asked for", () => lookupd.queries.length + proxy.count > 0);
  });

  assertEquals(auth.queries.length, 1);
  assertEquals(lookupd.queries, ["t"]);
  assertEquals(proxy.count, 0);
});
