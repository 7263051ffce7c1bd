/**
 * The options in force. They are those that nsqd was started with, but for what is found out at the start and what can
 * be changed while it runs; who needs one of these asks for it anew each time.
 *
 * @module
 */

import { AUTO_ADDRESS, networkTables, outwardAddress } from "./node/broadcast_address.ts";
import { nsqdConfigValue, type NsqdOptions } from "./options.ts";
import { statsdPrefixOf } from "./stats/statsd_options.ts";

/** Holds the options in force. */
export class Settings {
  #options: NsqdOptions;

  constructor(options: NsqdOptions) {
    this.#options = options;
  }

  get options(): NsqdOptions {
    return this.#options;
  }

  /** These are other ones from now on. */
  change(given: Partial<NsqdOptions>): void {
    this.#options = { ...this.#options, ...given };
  }

  /** Puts the address in the place of `--broadcast-address=auto`. @throws {Error} If there is none. */
  findAddress(): void {
    if (this.#options.broadcastAddress !== AUTO_ADDRESS) return;
    this.change({ broadcastAddress: outwardAddress(networkTables()) });
  }

  /** Puts the ports that are listened on in the place of those that are not told, as in NSQ, and so into statsd's prefix. */
  findPorts(real: { readonly tcpPort: number | undefined; readonly httpPort: number | undefined }): void {
    const { broadcastTcpPort, broadcastHttpPort } = this.#options;
    this.change({
      broadcastTcpPort: broadcastTcpPort || (real.tcpPort ?? 0),
      broadcastHttpPort: broadcastHttpPort || (real.httpPort ?? 0),
    });
    this.change({ statsdPrefix: statsdPrefixOf(this.#options) });
  }

  /** The value that `GET /config/<key>` shows, or `undefined` if there is no such option. */
  valueOf(key: string): unknown {
    return nsqdConfigValue(this.#options, key);
  }
}
