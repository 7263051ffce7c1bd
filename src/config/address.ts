/**
 * Addresses to listen on or to dial, in the forms that NSQ's flags take. Nothing is resolved or opened here.
 *
 * @module
 */

/** A TCP address, or the path of a unix socket. An empty host name means every address of the machine. */
export type Address =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

const PORT_MAX = 65_535;

/**
 * The address that a text says, or `undefined` if it is empty or its port is none.
 *
 * NSQ compat: whatever has no port is taken for a path: `localhost` is a socket file in the working directory,
 * and so is an IPv6 address without brackets.
 */
export function parseAddress(text: string): Address | undefined {
  if (text === "") return undefined;
  const parts = /^(?:\[([^\[\]]*)\]|([^\[\]:]*)):([^\[\]:]*)$/.exec(text);
  if (parts === null) return { kind: "unix", path: text };
  const [, bracketed, plain, port] = parts;
  // An empty port is any port, as 0 is.
  if (!/^\d*$/.test(port) || Number(port) > PORT_MAX) return undefined;
  return { kind: "tcp", hostname: bracketed ?? plain, port: Number(port) };
}

/** What is said of an address in a flag that nothing can listen on. */
export function listenRefusal(flag: string, address: string): string {
  return `--${flag} is no address to listen on: ${JSON.stringify(address)}`;
}
