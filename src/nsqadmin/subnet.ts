/**
 * Networks in CIDR notation, and whether an address is in one.
 *
 * @module
 */

import type { BlockList } from "node:net";
import { fromNode } from "../base/from_node.ts";
import { ipVersion } from "../base/ip_address.ts";

const net = fromNode("node:net");

/** A network. */
export interface Subnet {
  /** True for an IP address in it, which may be an IPv4 one as IPv6 has it. */
  has(ip: string): boolean;
}

/** The network that a text such as `10.0.0.0/8` says, or `undefined`. */
export function parseSubnet(text: string): Subnet | undefined {
  const [, address = "", length = ""] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === undefined || Number(length) > (family === "ipv4" ? 32 : 128)) return undefined;
  let list: BlockList | undefined;
  return {
    has(ip) {
      const plain = plainIp(ip);
      if (familyOf(plain) !== family) return false;
      if (list === undefined) {
        list = new (net().BlockList)();
        list.addSubnet(address, Number(length), family);
      }
      return list.check(plain, family);
    },
  };
}

/** The network that one of an address, or a network, is; `undefined` for what is neither. */
export function parseAddressOrSubnet(text: string): Subnet | undefined {
  const family = familyOf(text);
  return parseSubnet(family === undefined ? text : `${text}/${family === "ipv4" ? 32 : 128}`);
}

/** The IP address in `host:port`, also without a port; `undefined` where there is none. */
export function ipOf(address: string): string | undefined {
  const ip = familyOf(address) === undefined
    ? /^\[([^\]]*)\](?::\d+)?$|^([^:]*):\d+$/.exec(address)?.slice(1).find((each) => each !== undefined)
    : address;
  return ip !== undefined && familyOf(ip) !== undefined ? ip : undefined;
}

/** What an address is counted by: who has an IPv6 address has the network of 2^64 around it. */
export function addressKey(address: string): string {
  const ip = plainIp(ipOf(address) ?? address);
  if (familyOf(ip) !== "ipv6") return ip;
  const [head, tail = ""] = ip.split("::");
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  const zeros = new Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  const network = [...first, ...zeros, ...last].slice(0, 4).map((group) =>
    Number.parseInt(group, 16).toString(16)
  );
  return `${network.join(":")}::/64`;
}

/** An IPv4 address that IPv6 has. */
function plainIp(ip: string): string {
  return ip.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

function familyOf(ip: string): "ipv4" | "ipv6" | undefined {
  const version = ipVersion(ip);
  return version === 0 ? undefined : version === 4 ? "ipv4" : "ipv6";
}
