import { assert, assertEquals } from "@std/assert";
import { type ChannelQuery, queryChannels } from "../../src/cluster/channel_query.ts";
import { FakeLookupd } from "../support/fake_lookupd.ts";
import { deadAddress } from "../support/ports.ts";

/** A query of nsqlookupds at these addresses. */
function queryOf(...addresses: readonly string[]): ChannelQuery {
  const lookupds = addresses.map((address) => ({ address, timeoutMs: 60_000 }));
  return { lookupds, answerSizeMax: 32, signal: new AbortController().signal };
}

/** An nsqlookupd that knows these channels. */
function knowing(...channels: readonly string[]): FakeLookupd {
  return new FakeLookupd({ channels: () => Response.json({ channels }) });
}

Deno.test("queryChannels() is what any nsqlookupd knows, once, sorted", async () => {
  await using one = knowing("b", "c");
  await using two = knowing("a", "b");

  const answer = await queryChannels("t", queryOf(one.httpAddress, two.httpAddress));

  assertEquals(answer, { channels: ["a", "b", "c"], failures: [] });
});

Deno.test("queryChannels() says why one could not be asked, and goes on with the others", async () => {
  await using lookupd = knowing("c");
  const gone = deadAddress();

  const { channels, failures } = await queryChannels("t", queryOf(gone, lookupd.httpAddress));

  assertEquals(channels, ["c"]);
  assertEquals(
    failures.map((failure) => failure.replace(gone, "<gone>").replace(/: .*Connection/, ": … Connection")),
    [
      "http://<gone>/channels?topic=t: … Connection refused (os error 111)",
    ],
  );
});

Deno.test("queryChannels() asks nobody when there is nobody", async () => {
  assertEquals(await queryChannels("t", queryOf()), { channels: [], failures: [] });
});

Deno.test("queryChannels() reads an answer as large as it may be, and none that is larger", async () => {
  await using largest = knowing("x".repeat('{"channels":[""]}'.length - 2));
  await using tooLarge = knowing("x".repeat('{"channels":[""]}'.length - 1));

  const answers = [largest, tooLarge].map(({ httpAddress }) => queryChannels("t", queryOf(httpAddress)));
  const [atLimit, above] = await Promise.all(answers);

  assertEquals([atLimit.channels, atLimit.failures], [["x".repeat(15)], []]);
  assertEquals(above.channels, []);
  assertEquals(above.failures[0].endsWith(": the answer has more than 32 bytes"), true);
});

Deno.test("queryChannels() reads an answer without end no further than its limit, and others have their turns", async () => {
  let turns = 0;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('"a",')),
  });
  await using lookupd = new FakeLookupd({ channels: () => new Response(endless) });
  const others = setInterval(() => turns++, 0);

  const { failures } = await queryChannels("t", { ...queryOf(lookupd.httpAddress), answerSizeMax: 4000 });
  clearInterval(others);

  assert(failures[0].endsWith(": the answer has more than 4000 bytes"), failures[0]);
  assert(turns > 0);
});

Deno.test("queryChannels() goes nowhere that an answer sends it", async () => {
  await using other = knowing("c");
  const location = `http://${other.httpAddress}/channels?topic=t`;
  await using lookupd = new FakeLookupd({
    channels: () => new Response("gone", { status: 302, headers: { location } }),
  });

  const { channels, failures } = await queryChannels("t", queryOf(lookupd.httpAddress));

  assertEquals(channels, []);
  assert(failures[0].endsWith(': got response 302 "gone"'), failures[0]);
  assertEquals(other.queries, []);
});

Deno.test("queryChannels() shows a little of an answer that is none", async () => {
  await using lookupd = new FakeLookupd({ channels: () => new Response("x".repeat(1000), { status: 500 }) });

  const { failures } = await queryChannels("t", { ...queryOf(lookupd.httpAddress), answerSizeMax: 1000 });

  assert(failures[0].endsWith(`: got response 500 "${"x".repeat(200)}"`), failures[0]);
});

for (const what of ["/other?x=", "?x=", "#", "\\other"]) {
  Deno.test(`queryChannels() asks for nothing else when an address has ${JSON.stringify(what)} in it`, async () => {
    await using lookupd = knowing("c");

    const { failures } = await queryChannels("t", queryOf(`${lookupd.httpAddress}${what}:4161`));

    assert(failures[0].endsWith(": it has said more than a host and a port"), failures[0]);
    assertEquals(lookupd.queries, []);
  });
}

Deno.test("queryChannels() ends when its signal aborts", async () => {
  await using lookupd = new FakeLookupd({ channels: () => new Promise<Response>(() => {}) });
  const end = new AbortController();
  const asked = queryChannels("t", { ...queryOf(lookupd.httpAddress), signal: end.signal });

  end.abort();

  assertEquals((await asked).channels, []);
});
