import { assertEquals } from "@std/assert";
import { route, RouteTable } from "../../src/http/route_table.ts";

const table = new RouteTable([
  route("GET", "/ping", "ping"),
  route("POST", "/pub", "pub"),
  route("POST", "/topic/create", "create"),
  route("GET", "/config/:opt", "show"),
  route("PUT", "/config/:opt", "change"),
  route("GET", "/debug/pprof/", "index"),
]);

Deno.test("RouteTable.match() finds a fixed path", () => {
  assertEquals(table.match("POST", "/topic/create"), {
    name: "POST /topic/create",
    value: "create",
    params: {},
  });
});

Deno.test("RouteTable.match() finds a path with a name in it", () => {
  assertEquals(table.match("PUT", "/config/log_level"), {
    name: "PUT /config/:opt",
    value: "change",
    params: { opt: "log_level" },
  });
});

Deno.test("RouteTable.match() prefers the fixed path", () => {
  const both = new RouteTable([route("GET", "/config/:opt", "any"), route("GET", "/config/log", "log")]);

  assertEquals(both.match("GET", "/config/log")?.value, "log");
});

const UNKNOWN: readonly [method: string, path: string][] = [
  ["POST", "/ping"],
  ["DELETE", "/ping"],
  ["GET", "/"],
  ["GET", "/pingpong"],
  ["GET", "/ping/"],
  ["GET", "/PING"],
  ["GET", "/config"],
  ["GET", "/config/"],
  ["GET", "/config/a/b"],
];

for (const [method, path] of UNKNOWN) {
  Deno.test(`RouteTable.match() has nothing for ${method} ${path}`, () => {
    assertEquals(table.match(method, path), undefined);
  });
}

Deno.test("RouteTable.allowed() lists the methods of a path, sorted, with OPTIONS", () => {
  assertEquals(table.allowed("/config/log_level"), ["GET", "OPTIONS", "PUT"]);
  assertEquals(table.allowed("/pub"), ["OPTIONS", "POST"]);
});

Deno.test("RouteTable.allowed() is empty for an unknown path", () => {
  assertEquals(table.allowed("/nope"), []);
});

const MEANT: readonly [method: string, path: string, meant: string | undefined][] = [
  ["GET", "/ping/", "/ping"],
  ["GET", "//ping", "/ping"],
  ["GET", "/./ping", "/ping"],
  ["GET", "/x/../ping", "/ping"],
  ["GET", "/../../ping", "/ping"],
  ["GET", "/PING", "/ping"],
  ["GET", "/debug/pprof", "/debug/pprof/"],
  ["GET", "/debug//pprof/.", "/debug/pprof/"],
  ["GET", "/config/log_level/", "/config/log_level"],
  ["GET", "/CONFIG/Log_Level", "/config/Log_Level"],
  ["POST", "/topic//create", "/topic/create"],
  ["POST", "/ping/", undefined],
  ["DELETE", "/ping/", undefined],
  ["GET", "/pong/", undefined],
  ["GET", "/config/", undefined],
  ["GET", "/", undefined],
];

for (const [method, path, meant] of MEANT) {
  Deno.test(`RouteTable.meant() takes ${method} ${path} for ${meant}`, () => {
    assertEquals(table.meant(method, path), meant);
  });
}
