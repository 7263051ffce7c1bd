/**
 * Whether a text is an IP address: without Node's module, which costs a start 20 ms.
 *
 * @module
 */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const OF_IPV6 = /^[\da-f:.]+$/i;
/** What is behind an address that is on one of this machine's networks only, with all before it. */
const ZONED = /^([^%]*:[^%]*)%[\da-z.:-]+$/i;

/** 4 or 6, or 0 for what is no IP address. One with a zone (`fe80::1%eth0`) is none: it means nothing to others. */
export function ipVersion(text: string): 0 | 4 | 6 {
  if (IPV4.test(text)) return 4;
  return OF_IPV6.test(text) && URL.canParse(`http://[${text}]/`) ? 6 : 0;
}

/** The same of an address that this machine is to dial, where a zone says on which network. */
export function dialledIpVersion(text: string): 0 | 4 | 6 {
  return ipVersion(text.replace(ZONED, "$1"));
}
