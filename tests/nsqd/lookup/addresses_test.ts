import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { followAddress, HOSTS_MAX, hostsAt, resolveName } from "../../../src/nsqd/lookup/addresses.ts";
import { FakeSleep } from "../../support/fake_sleep.ts";

/** What a name server says when it is asked: addresses, or an error. */
type Said = readonly string[] | Error;

/** Follows an address in fake time. */
class Following implements AsyncDisposable {
  readonly time = new FakeSleep();
  readonly lines: string[] = [];
  /** Each list of hosts that was said. */
  readonly hosts: string[][] = [];
  asked: string[] = [];
  readonly #end = new AbortController();
  readonly #done: Promise<void>;

  constructor(address: string, say: () => Said | Promise<Said>) {
    const write = (line: string) => this.lines.push(line.slice(27));
    this.#done = followAddress(address, {
      logger: new Logger({ prefix: "", level: LOG_LEVELS.debug, write }),
      resolve: async (name) => {
        this.asked.push(name);
        const said = await say();
        if (said instanceof Error) throw said;
        return said;
      },
      sleep: this.time.sleep,
      signal: this.#end.signal,
      onHosts: (hosts) => this.hosts.push(hosts.map(({ text }) => text)),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }
}

/** An error as Node's resolver has it. */
function failure(code: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code} lookup.example`), { code });
}

Deno.test("hostsAt() makes a host of each IPv4 address, in order and once", () => {
  assertEquals(hostsAt(["10.0.0.2", "10.0.0.1", "10.0.0.2"], 4160), [
    { text: "10.0.0.1:4160", ways: ["10.0.0.1"], port: 4160 },
    { text: "10.0.0.2:4160", ways: ["10.0.0.2"], port: 4160 },
  ]);
});

Deno.test("hostsAt() makes a host of each IPv6 address when there is no other", () => {
  assertEquals(hostsAt(["fd00::2", "fd00::1"], 4160), [
    { text: "[fd00::1]:4160", ways: ["fd00::1"], port: 4160 },
    { text: "[fd00::2]:4160", ways: ["fd00::2"], port: 4160 },
  ]);
});

Deno.test("hostsAt() makes a host of an IPv6 address with a zone", () => {
  assertEquals(hostsAt(["fe80::1%2"], 4160).map(({ ways }) => ways), [["fe80::1%2"]]);
});

Deno.test("hostsAt() takes IPv6 addresses beside one IPv4 address for other ways to the same host", () => {
  assertEquals(hostsAt(["::1", "127.0.0.1"], 4160), [
    { text: "127.0.0.1:4160", ways: ["127.0.0.1", "::1"], port: 4160 },
  ]);
});

Deno.test("hostsAt() leaves IPv6 addresses out beside several IPv4 addresses", () => {
  assertEquals(hostsAt(["fd00::1", "10.0.0.1", "10.0.0.2", "fd00::2"], 4160).map(({ ways }) => ways), [
    ["10.0.0.1"],
    ["10.0.0.2"],
  ]);
});

Deno.test("hostsAt() makes nothing of what is no IP address", () => {
  assertEquals(hostsAt(["name"], 4160), []);
});

Deno.test("followAddress() says an IP address at once and asks nobody", async () => {
  await using v4 = new Following("127.0.0.1:4160", () => []);
  await using v6 = new Following("[::1]:4160", () => []);

  assertEquals([...v4.hosts, ...v6.hosts], [["127.0.0.1:4160"], ["[::1]:4160"]]);
  assertEquals([...v4.asked, ...v6.asked], []);
});

Deno.test("followAddress() takes an address without a host for this machine", async () => {
  await using following = new Following(":4160", () => []);

  assertEquals(following.hosts, [["127.0.0.1:4160"]]);
});

Deno.test("followAddress() complains of an address without a port, once", async () => {
  await using following = new Following("lookup.example", () => ["10.0.0.1"]);

  await following.time.advance(60_000);

  assertEquals(following.hosts, []);
  assertEquals(following.lines, [
    "ERROR: LOOKUPD(lookup.example): address lookup.example: missing port in address",
  ]);
});

Deno.test("followAddress() says all hosts of a name", async () => {
  await using following = new Following("lookup.example:4160", () => ["10.0.0.2", "10.0.0.1"]);

  await following.time.advance(0);

  assertEquals(following.asked, ["lookup.example"]);
  assertEquals(following.hosts, [["10.0.0.1:4160", "10.0.0.2:4160"]]);
  assertEquals(following.lines, [
    "INFO: LOOKUP(lookup.example:4160): resolves to 10.0.0.1:4160, 10.0.0.2:4160",
  ]);
});

Deno.test("followAddress() asks again every 15 s and says what has come and gone", async () => {
  const answers: Said[] = [["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"], ["10.0.0.2"]];
  await using following = new Following("lookup.example:4160", () => answers.shift() ?? []);

  await following.time.advance(14_999);
  assertEquals([following.asked.length, following.hosts.length], [1, 1]);
  await following.time.advance(1);
  assertEquals([following.asked.length, following.hosts.length], [2, 2]);
  await following.time.advance(30_000);

  assertEquals(following.asked.length, 4);
  // The third answer was the second in another order.
  assertEquals(following.hosts, [["10.0.0.1:4160"], ["10.0.0.1:4160", "10.0.0.2:4160"], ["10.0.0.2:4160"]]);
});

Deno.test("followAddress() keeps the hosts it knows while the name server fails or knows none", async () => {
  const answers: Said[] = [["10.0.0.1"], failure("ENOTFOUND"), [], ["10.0.0.1"], ["10.0.0.3"]];
  await using following = new Following("lookup.example:4160", () => answers.shift() ?? []);

  await following.time.advance(60_000);

  assertEquals(following.hosts, [["10.0.0.1:4160"], ["10.0.0.3:4160"]]);
  assertEquals(following.lines, [
    "INFO: LOOKUP(lookup.example:4160): resolves to 10.0.0.1:4160",
    "WARNING: LOOKUP(lookup.example:4160): failed to resolve - getaddrinfo ENOTFOUND lookup.example",
    "WARNING: LOOKUP(lookup.example:4160): failed to resolve - no addresses",
    "INFO: LOOKUP(lookup.example:4160): resolves to 10.0.0.3:4160",
  ]);
});

Deno.test("followAddress() asks sooner while it knows no host, later and later", async () => {
  let isKnown = false;
  const following = new Following("lookup.example:4160", () => isKnown ? ["10.0.0.1"] : failure("ENOTFOUND"));
  await using _end = following;

  const asked: number[] = [];
  for (let s = 0; s <= 45; s++) {
    await following.time.advance(s === 0 ? 0 : 1000);
    if (following.asked.length > 0) asked.push(s);
    following.asked = [];
    isKnown = s >= 31;
  }

  // Known since 45: the next would be at 60.
  assertEquals(asked, [0, 1, 3, 7, 15, 30, 45]);
  assertEquals(following.hosts, [["10.0.0.1:4160"]]);
  assertEquals(
    following.lines[0],
    "ERROR: LOOKUP(lookup.example:4160): failed to resolve - getaddrinfo ENOTFOUND lookup.example",
  );
});

Deno.test("followAddress() leaves hosts out beyond the limit and says so", async () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `10.0.1.${100 + i}`);
  await using most = new Following("lookup.example:4160", () => many(HOSTS_MAX));
  await using tooMany = new Following("lookup.example:4160", () => many(HOSTS_MAX + 1));

  await most.time.advance(0);
  await tooMany.time.advance(0);

  assertEquals([most.hosts[0].length, tooMany.hosts[0].length], [64, 64]);
  assertEquals(most.lines[0].endsWith("10.0.1.163:4160"), true);
  assertEquals(tooMany.lines[0].endsWith("10.0.1.163:4160, and 1 more that are left out"), true);
});

Deno.test("followAddress() says the name itself when it may not be looked up", async () => {
  await using following = new Following("lookup.example:4160", () => failure("EPERM"));

  await following.time.advance(60_000);

  assertEquals(following.hosts, [["lookup.example:4160"]]);
  assertEquals(following.lines, [
    "WARNING: LOOKUP(lookup.example:4160): connects by name, without permission to look it up",
  ]);
});

Deno.test("followAddress() ends at once while a name server does not answer", async () => {
  await using following = new Following("lookup.example:4160", () => new Promise<Said>(() => {}));

  await following.time.advance(60_000);

  assertEquals(following.asked, ["lookup.example"]);
});

Deno.test("resolveName() knows the hosts file", async () => {
  assertEquals((await resolveName("localhost")).includes("127.0.0.1"), true);
});
