/**
 * Where a node is: `host:port`, `nsqs://host:port` with TLS from the first byte, `unix:/path`, `ws://…/v2` and
 * `wss://…/v2` for protocol V2 over a WebSocket, or `http://host:4151` to publish by requests. Reads texts, connects to
 * nothing.
 *
 * @module
 */

/** The address of a node. */
export type NodeAddress =
  | { readonly kind: "tcp" | "tls"; readonly text: string; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly text: string; readonly path: string }
  | { readonly kind: "websocket" | "http"; readonly text: string; readonly url: string };

/** Port of nsqd's TCP protocol. */
const DEFAULT_PORT = 4150;

/**
 * Reads the address of a node.
 *
 * @throws {TypeError} If it is none.
 */
export function parseNodeAddress(text: string): NodeAddress {
  if (/^(ws|http)s?:\/\//.test(text)) {
    if (!URL.canParse(text)) throw new TypeError(`Not the address of a node: ${JSON.stringify(text)}`);
    return { kind: text.startsWith("ws") ? "websocket" : "http", text, url: text };
  }
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (path === "") throw new TypeError(`Not the path of a socket: ${JSON.stringify(text)}`);
    return { kind: "unix", text, path };
  }
  const kind = text.startsWith("nsqs://") ? "tls" : "tcp";
  const { host, port } = parseHostPort(text.replace(/^(nsqs?|tcp):\/\//, ""), DEFAULT_PORT);
  return { kind, text, host, port };
}

/**
 * Reads `host`, `host:port` or `[v6]:port`.
 *
 * @throws {TypeError} If it is neither.
 */
export function parseHostPort(text: string, defaultPort?: number): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:/\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port === undefined || port < 1 || port > 65535) {
    throw new TypeError(`Not an address: ${JSON.stringify(text)}, host:port was expected`);
  }
  return { host, port };
}
