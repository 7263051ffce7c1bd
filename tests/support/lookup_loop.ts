/**
 * nsqd's part in discovery without a daemon: topics come and go at a word, names are resolved as a test says,
 * connections to this machine are real, and time stands still but for HTTP requests.
 *
 * @module
 */

import { defaultOptions } from "../../src/config/option.ts";
import { LookupLoop } from "../../src/nsqd/lookup/loop.ts";
import { nodeInfoOf } from "../../src/nsqd/node/info.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../src/nsqd/options.ts";
import { FakeSleep } from "./fake_sleep.ts";
import { connectTcp, FakeTopics, keptLog } from "./lookup_peer.ts";

/** What a test says of a {@linkcode RunningLoop}. */
export interface RunningLoopOptions {
  readonly options?: Partial<NsqdOptions>;
  readonly topics?: Readonly<Record<string, readonly string[]>>;
  /** The IP addresses of names; without an entry there are none. */
  readonly names?: ReadonlyMap<string, readonly string[]>;
  /** Resolves names instead. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/** A loop that runs until it is disposed of. */
export class RunningLoop implements AsyncDisposable {
  readonly loop: LookupLoop;
  readonly time = new FakeSleep();
  readonly topics: FakeTopics;
  readonly lines: string[];
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  #options: NsqdOptions;

  constructor(given: RunningLoopOptions = {}) {
    const { logger, lines } = keptLog();
    this.lines = lines;
    this.topics = new FakeTopics(given.topics);
    this.#options = { ...defaultOptions(NSQD_OPTIONS), broadcastAddress: "nsqd.example", ...given.options };
    const options = () => this.#options;
    const context = {
      logger,
      get options() {
        return options();
      },
      topics: this.topics.map,
      answerSizeMax: this.#options.maxBodySizeBytes,
      nodeInfo: () =>
        nodeInfoOf({ options: options(), hostname: "host.example", tcpPort: 4150, httpPort: 4151 }),
    };
    const known = (name: string) => {
      const addresses = given.names?.get(name);
      return addresses
        ? Promise.resolve(addresses)
        : Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`));
    };
    const world = { connect: connectTcp, sleep: this.time.sleep, resolve: given.resolve ?? known };
    this.loop = new LookupLoop(context, world);
    this.#done = this.loop.run(this.#end.signal);
  }

  /** Configures other nsqlookupds. */
  setAddresses(...lookupdTcpAddresses: readonly string[]): void {
    this.#options = { ...this.#options, lookupdTcpAddresses };
    this.loop.addressesChanged();
  }

  /** A topic, or a channel of it, comes. */
  add(topic: string, channel?: string): void {
    this.topics.add(topic, ...channel === undefined ? [] : [channel]);
    this.loop.changed(topic, channel);
  }

  /** The lines of the log that begin with any of these texts. */
  linesWith(...starts: readonly string[]): string[] {
    return this.lines.filter((line) => starts.some((start) => line.startsWith(start)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }
}
