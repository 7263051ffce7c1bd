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
const LINUX = { SOL_SOCKET: 1, SO_KEEPALIVE: 9, IPPROTO_TCP: 6, TCP_KEEPIDLE: 4, TCP_KEEPINTVL: 5 };
/** The C libraries that Linux systems have, glibc's and musl's. */
const C_LIBRARIES = ["libc.so.6", "libc.so"];
const SET_SOCKET_OPTION = {
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;
/** What /proc calls a socket that listens. */
const LISTENING = "0A";

/**
 * Lets all connections that are accepted on a port have keep-alive.
 *
 * @returns False where that cannot be done: it is to be done for each connection, with the kernel's times.
 */
export function keepAliveOnPort(port: number): boolean {
  if (Deno.build.os !== "linux" || !maySetOptions()) return false;
  const inodes = inodesOfListeners(port);
  const descriptors = descriptorsOf(inodes);
  const library = descriptors.length === 0 ? undefined : openLibrary();
  if (library === undefined) return false;
  try {
    const set = (descriptor: number, level: number, name: number, value: number) =>
      library.symbols.setsockopt(descriptor, level, name, new Int32Array([value]), 4) === 0;
    return descriptors.every((descriptor) =>
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

/** Inodes of the sockets that listen on a port, of whatever process of this network namespace. */
function inodesOfListeners(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set<string>();
  for (const table of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
    for (const line of readIfThere(table).split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === LISTENING && fields[1].endsWith(suffix)) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  return inodes;
}

/** A machine without IPv6 has no table of it. */
function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Descriptors of this process that stand for one of the inodes. */
function descriptorsOf(inodes: ReadonlySet<string>): number[] {
  const folder = "/proc/self/fd";
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    try {
      return inodes.has(Deno.readLinkSync(`${folder}/${name}`)) ? [Number(name)] : [];
    } catch (error) {
      // Closed in between: the folder itself was open while it was listed.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

function openLibrary(): Deno.DynamicLibrary<typeof SET_SOCKET_OPTION> | undefined {
  for (const name of C_LIBRARIES) {
    try {
      return Deno.dlopen(name, SET_SOCKET_OPTION);
    } catch (error) {
      // Another C library: the next name, or none.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}
