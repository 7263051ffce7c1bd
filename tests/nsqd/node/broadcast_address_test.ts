import { assertEquals, assertThrows } from "@std/assert";
import { type Interface, networkTables, outwardAddress } from "../../../src/nsqd/node/broadcast_address.ts";

const LO: Interface = { name: "lo", family: "IPv4", address: "127.0.0.1" };
const LO6: Interface = { name: "lo", family: "IPv6", address: "::1" };
const BRIDGE: Interface = { name: "docker0", family: "IPv4", address: "172.17.0.1" };
const ETH: Interface = { name: "eth0", family: "IPv4", address: "10.1.2.3" };
const ETH6: Interface = { name: "eth0", family: "IPv6", address: "fd00::2" };
const ETH_LINK: Interface = { name: "eth0", family: "IPv6", address: "fe80::fc:ff:fe00:1" };
const WLAN: Interface = { name: "wlan0", family: "IPv4", address: "192.168.1.7" };

const HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const LOCAL_ROUTES = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n" +
  "eth0\t0000010A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
const defaultRoute = (name: string, metric: number, flags = "0003") =>
  `${name}\t00000000\t0100010A\t${flags}\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;

const ZEROS = "0".repeat(32);
const ROUTES_V6 =
  `fd000000000000000000000000000000 40 ${ZEROS} 00 ${ZEROS} 00000100 00000001 00000000 00000001     eth0\n` +
  `${ZEROS} 00 ${ZEROS} 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n` +
  `${ZEROS} 00 ${ZEROS} 00 ${ZEROS} ffffffff 00000001 00000000 00200200       lo\n`;

function found(interfaces: readonly Interface[], routesV4 = "", routesV6 = ""): string {
  return outwardAddress({ interfaces, routesV4, routesV6 });
}

Deno.test("outwardAddress() is that of the interface with the default route", () => {
  assertEquals(found([LO, BRIDGE, ETH], HEAD + LOCAL_ROUTES + defaultRoute("eth0", 0)), "10.1.2.3");
});

Deno.test("outwardAddress() is that of the default route with the lowest metric", () => {
  const routes = HEAD + defaultRoute("wlan0", 600) + defaultRoute("eth0", 100);

  assertEquals(found([LO, WLAN, ETH], routes), "10.1.2.3");
});

Deno.test("outwardAddress() takes no route that is down", () => {
  const routes = HEAD + defaultRoute("wlan0", 1, "0002") + defaultRoute("eth0", 100);

  assertEquals(found([LO, WLAN, ETH], routes), "10.1.2.3");
});

Deno.test("outwardAddress() is an IPv4 address when both families have a default route", () => {
  assertEquals(found([LO, LO6, ETH6, ETH], HEAD + defaultRoute("eth0", 0), ROUTES_V6), "10.1.2.3");
});

Deno.test("outwardAddress() is the IPv6 address of the default route when only IPv6 has one", () => {
  assertEquals(found([LO, BRIDGE, LO6, ETH_LINK, ETH6], HEAD + LOCAL_ROUTES, ROUTES_V6), "fd00::2");
});

Deno.test("outwardAddress() without known routes is the first IPv4 address to the outside", () => {
  assertEquals(found([LO, LO6, ETH_LINK, ETH6, ETH, WLAN]), "10.1.2.3");
});

Deno.test("outwardAddress() without known routes and IPv4 is the first IPv6 address to the outside", () => {
  assertEquals(found([LO, LO6, ETH_LINK, ETH6]), "fd00::2");
});

Deno.test("outwardAddress() refuses a machine with addresses for itself and its links only", () => {
  const link: Interface = { name: "eth0", family: "IPv4", address: "169.254.7.7" };

  assertThrows(
    () => found([LO, LO6, ETH_LINK, link], HEAD + defaultRoute("eth0", 0)),
    Error,
    "Cannot find an address for --broadcast-address=auto: there is no interface to the outside",
  );
});

Deno.test("networkTables() lists this machine's interfaces", () => {
  assertEquals(networkTables().interfaces.some(({ address }) => address === "127.0.0.1"), true);
});
