/**
 * TCP keep-alive: the kernel asks a peer that is silent whether it is still there, after 15 s and then every 15 s, as
 * for each connection that a Go program accepts. It ends those whose machine has vanished.
 *
 * What was found (Deno 2.9.6): `Deno.TcpConn.setKeepAlive` takes no time, and so means the kernel's two hours;
 * `node:net` takes one, and its connections cost a third more in processor time than Deno's. But on Linux an accepted
 * socket inherits the options of the socket that listens, so setting them there, once, costs a connection nothing.
 * Deno has no means for that either; the C library has. Without the permissions for it (`ffi`, and all for /proc),
 * or on another system, the kernel's own times are what connections get.
 *
 * @module
 */

import { isGranted } from "../base/platform.ts";

/** How long a peer is silent before it is asked, and then between one time and the next, in s: Go's default. */
export const KEEP_ALIVE_S = 15;

/** The same numbers on every kind of processor that this runtime is made for. */
const LINUX = {
  SOL_SOCKET: 1,
  SO_KEEPALIVE: 9,
  SO_ACCEPTCONN: 30,
  IPPROTO_TCP: 6,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
};
/** The C libraries that Linux systems have, glibc's and musl's. */
const C_LIBRARIES = ["libc.so.6", "libc.so"];
const SOCKET_FUNCTIONS = {
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
} as const;
type Library = Deno.DynamicLibrary<typeof SOCKET_FUNCTIONS>;
/** Bytes of an address of any family, which it begins with: those of IPv4 and IPv6. Then comes the port, its high byte first. */
const ADDRESS_SIZE = 128;
const INTERNET_FAMILIES: readonly number[] = [2, 10];

/**
 * Lets all connections that are accepted on a port have keep-alive.
 *
 * @returns False where that cannot be done: it is to be done for each connection, with the kernel's times.
 */
export function keepAliveOnPort(port: number): boolean {
  if (Deno.build.os !== "linux" || !maySetOptions()) return false;
  const library = openLibrary();
  if (library === undefined) return false;
  try {
    const listening = socketsOfProcess().filter((descriptor) => listensOn(port, descriptor, library));
    const set = (descriptor: number, level: number, name: number, value: number) =>
      library.symbols.setsockopt(descriptor, level, name, new Int32Array([value]), 4) === 0;
    return listening.length > 0 &&
      listening.every((descriptor) =>
        set(descriptor, LINUX.SOL_SOCKET, LINUX.SO_KEEPALIVE, 1) &&
        set(descriptor, LINUX.IPPROTO_TCP, LINUX.TCP_KEEPIDLE, KEEP_ALIVE_S) &&
        set(descriptor, LINUX.IPPROTO_TCP, LINUX.TCP_KEEPINTVL, KEEP_ALIVE_S)
      );
  } finally {
    library.close();
  }
}

/** /proc is read with all permissions only. Asking for one by one never prompts. */
function maySetOptions(): boolean {
  const needed: readonly Deno.PermissionDescriptor[] = ["ffi", "read", "write", "net", "env", "sys", "run"]
    .map((name) => ({ name }) as Deno.PermissionDescriptor);
  return needed.every(isGranted);
}

/**
 * Descriptors of this process's sockets. The kernel's tables of sockets would say which of them listen where, but those have
 * all of the machine, and take a second where there are many.
 */
function socketsOfProcess(): number[] {
  const folder = "/proc/self/fd";
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    try {
      return Deno.readLinkSync(`${folder}/${name}`).startsWith("socket:") ? [Number(name)] : [];
    } catch (error) {
      // Closed in between: the folder itself was open while it was listed.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

function listensOn(port: number, descriptor: number, { symbols }: Library): boolean {
  const value = new Int32Array(1);
  const valueSize = new Uint32Array([value.byteLength]);
  const { SOL_SOCKET, SO_ACCEPTCONN } = LINUX;
  if (symbols.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, value, valueSize) !== 0) return false;
  if (value[0] === 0) return false;
  const address = new Uint8Array(ADDRESS_SIZE);
  const addressSize = new Uint32Array([ADDRESS_SIZE]);
  if (symbols.getsockname(descriptor, address, addressSize) !== 0) return false;
  const [family] = new Uint16Array(address.buffer);
  return INTERNET_FAMILIES.includes(family) && new DataView(address.buffer).getUint16(2) === port;
}

function openLibrary(): Library | undefined {
  for (const name of C_LIBRARIES) {
    try {
      return Deno.dlopen(name, SOCKET_FUNCTIONS);
    } catch (error) {
      // Another C library: the next name, or none.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}
