/**
 * The address of this machine that others are likely to reach it at: what `--broadcast-address=auto` means. In a
 * container the host name, which is NSQ's default, is often known to nobody else (nsqio/nsq#1245, #1173). It is read
 * from the tables of the operating system; nothing is sent.
 *
 * @module
 */

/** The `--broadcast-address` that stands for the address found here. */
export const AUTO_ADDRESS = "auto";

/** An address of an interface, as `Deno.networkInterfaces()` lists it. */
export type Interface = Pick<Deno.NetworkInterfaceInfo, "name" | "family" | "address">;

/** What the operating system says. */
export interface NetworkTables {
  readonly interfaces: readonly Interface[];
  /** Contents of Linux's `/proc/net/route` and `/proc/net/ipv6_route`, empty where there is none. */
  readonly routesV4: string;
  readonly routesV6: string;
}

/** Reads them. Throws without the permission to list interfaces. */
export function networkTables(): NetworkTables {
  return {
    interfaces: Deno.networkInterfaces(),
    routesV4: readIfPossible("/proc/net/route"),
    routesV6: readIfPossible("/proc/net/ipv6_route"),
  };
}

/**
 * The address of the interface with the default route, IPv4 before IPv6; where routes are not known, the first address
 * that is not of this machine or this link only.
 *
 * @throws {Error} If there is none.
 */
export function outwardAddress(tables: NetworkTables): string {
  const outward = tables.interfaces.filter(({ address }) => !isLocal(address));
  const [v4, v6] = [defaultInterfaceV4(tables.routesV4), defaultInterfaceV6(tables.routesV6)];
  const found = outward.find(({ name, family }) => family === "IPv4" && name === v4) ??
    outward.find(({ name, family }) => family === "IPv6" && name === v6) ??
    outward.find(({ family }) => family === "IPv4") ?? outward[0];
  if (found === undefined) {
    throw new Error(
      "Cannot find an address for --broadcast-address=auto: there is no interface to the outside",
    );
  }
  return found.address;
}

const RTF_UP = 1;

/** Columns: interface, destination, gateway, flags, reference count, use, metric (decimal), mask, …; a head line. */
function defaultInterfaceV4(table: string): string | undefined {
  return best(
    rowsOf(table).filter(([, destination, , flags, , , , mask]) =>
      destination === "00000000" && mask === "00000000" && isUp(flags)
    ).map(([name, , , , , , metric]) => ({ name, metric: Number(metric) })),
  );
}

/** Columns: destination, prefix length, source, its prefix length, next hop, metric (hex), …, flags, interface. */
function defaultInterfaceV6(table: string): string | undefined {
  return best(
    rowsOf(table).filter(([destination, length, , , , , , , flags, name]) =>
      /^0{32}$/.test(destination) && length === "00" && name !== "lo" && isUp(flags)
    ).map((columns) => ({ name: columns[9], metric: parseInt(columns[5], 16) })),
  );
}

function best(routes: readonly { readonly name: string; readonly metric: number }[]): string | undefined {
  return [...routes].sort((a, b) => a.metric - b.metric)[0]?.name;
}

function rowsOf(table: string): string[][] {
  return table.split("\n").map((line) => line.trim().split(/\s+/)).filter((columns) => columns.length > 7);
}

function isUp(flags: string): boolean {
  return (parseInt(flags, 16) & RTF_UP) !== 0;
}

/** True for addresses that mean something else elsewhere: loopback and link-local ones. */
function isLocal(address: string): boolean {
  return /^(127\.|169\.254\.|0\.0\.0\.0$|::1?$|fe[89ab])/i.test(address);
}

/** Only Linux has these files, and only with all permissions may they be read. */
function readIfPossible(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return "";
    throw error;
  }
}
