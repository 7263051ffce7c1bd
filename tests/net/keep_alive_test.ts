import { assert, assertEquals } from "@std/assert";
import { KEEP_ALIVE_S, keepAliveOnPort } from "../../src/net/keep_alive.ts";
import { TempFolder } from "../support/interop.ts";

/** How many seconds until the kernel asks the peer of a port's connection, which it is to do in that many at most. */
function secondsUntilAsked(port: number): number | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = Deno.readTextFileSync("/proc/self/net/tcp").split("\n").map((line) =>
    line.trim().split(/\s+/)
  );
  const timer = lines.find(([, address, , state]) => address?.endsWith(local) && state === "01")?.[5];
  // `02` is the timer of keep-alive, and the other number the time in hundredths of a second.
  return timer?.startsWith("02:") ? Number.parseInt(timer.slice(3), 16) / 100 : undefined;
}

Deno.test({
  name:
    "keepAliveOnPort() lets the kernel ask the peers of connections that are accepted afterwards, in time",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;

    const isSet = keepAliveOnPort(port);
    using _client = await Deno.connect({ hostname: "127.0.0.1", port });
    using _accepted = await listener.accept();

    const seconds = secondsUntilAsked(port);
    assert(isSet);
    assert(seconds !== undefined && seconds > 0 && seconds <= KEEP_ALIVE_S, `in ${seconds} s`);
  },
});

Deno.test({
  name: "keepAliveOnPort() takes no path of a socket for a port",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = await TempFolder.make();
    const path = `${folder.path}/socket`;
    using _listener = Deno.listen({ transport: "unix", path });

    assertEquals(keepAliveOnPort(path.charCodeAt(0) << 8 | path.charCodeAt(1)), false);
  },
});

Deno.test("keepAliveOnPort() says so where nobody listens", () => {
  assertEquals(keepAliveOnPort(1), false);
});
