/**
 * A host and a port in one text.
 *
 * @module
 */

/** `host:port`, an IPv6 address in brackets, as Go prints it. */
export function hostPort(address: { readonly hostname: string; readonly port: number }): string {
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return `${host}:${address.port}`;
}
