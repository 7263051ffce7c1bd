import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { Address } from "../../src/config/address.ts";
import { v1 } from "../../src/http/decorators.ts";
import { route } from "../../src/http/route_table.ts";
import { Router } from "../../src/http/router.ts";
import type { RequestHandler } from "../../src/http/http_request.ts";
import { serveHttp } from "../../src/http/server.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";

const ANY_PORT: Address = { kind: "tcp", hostname: "127.0.0.1", port: 0 };
const GRACE_MS = 5000;

function serve(options: { address?: Address; handler?: RequestHandler } = {}) {
  const lines: string[] = [];
  const logger = new Logger({
    prefix: "",
    level: LOG_LEVELS.info,
    write: (line) => lines.push(line.slice(27)),
  });
  const router = new Router({
    logger,
    routes: [
      route("GET", "/ping", v1(() => "OK")),
      route("POST", "/unread", v1(() => "unread")),
      route(
        "POST",
        "/small",
        v1(async (context) => await context.readBody(10) === undefined ? "too big" : "read"),
      ),
    ],
  });
  const server = serveHttp({
    address: options.address ?? ANY_PORT,
    handler: options.handler ?? router.handle,
    logger,
  });
  return { server, lines };
}

Deno.test("serveHttp() serves on the port that it tells", async () => {
  const { server } = serve();

  const response = await fetch(`http://${server.address}/ping`);

  assertEquals(await response.text(), "OK");
  assertEquals(server.address, `127.0.0.1:${server.port}`);
  await server.close({ graceMs: GRACE_MS });
});

Deno.test("serveHttp() logs where it listens, and when it closes", async () => {
  const { server, lines } = serve();

  await server.close({ graceMs: GRACE_MS });

  assertEquals(lines, [
    `INFO: HTTP: listening on ${server.address}`,
    `INFO: HTTP: closing ${server.address}`,
  ]);
});

Deno.test("serveHttp() serves on a unix socket", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/http.sock`;
  const { server } = serve({ address: { kind: "unix", path } });

  const connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode("GET /ping HTTP/1.0\r\n\r\n"));
  const text = await new Response(connection.readable).text();

  assertMatch(text, /^HTTP\/1\.0 200 OK\r\n[^]*\r\n\r\nOK$/);
  assertEquals([server.address, server.port], [path, undefined]);
  await server.close({ graceMs: GRACE_MS });
  await Deno.remove(directory, { recursive: true });
});

Deno.test("serveHttp() throws an error with address and cause when the port is taken", async () => {
  const { server } = serve();
  const address: Address = { kind: "tcp", hostname: "127.0.0.1", port: server.port ?? 0 };

  const error = assertThrows(() => serve({ address }), Error, `Cannot listen on 127.0.0.1:${server.port}: `);

  assert(error.cause instanceof Deno.errors.AddrInUse);
  await server.close({ graceMs: GRACE_MS });
});

Deno.test("serveHttp() is not moved by the environment", async () => {
  Deno.env.set("DENO_SERVE_ADDRESS", "tcp:127.0.0.1:1");

  const { server } = serve();

  assertEquals(await (await fetch(`http://${server.address}/ping`)).text(), "OK");
  await server.close({ graceMs: GRACE_MS });
});

Deno.test("serveHttp() keeps a connection alive after a body that no handler read", async () => {
  const { server } = serve();
  using client = await RawHttpClient.to(server);

  await client.send("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
  await client.send("hello");
  const first = await client.response();
  await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  const second = await client.response();

  assertEquals([first, second], ["HTTP/1.1 200 OK unread", "HTTP/1.1 200 OK OK"]);
  await server.close({ graceMs: GRACE_MS });
});

Deno.test("serveHttp() keeps a connection alive after a body that was announced as too big", async () => {
  const { server } = serve();
  using client = await RawHttpClient.to(server);

  await client.send(
    `POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`,
  );
  const first = await client.response();
  await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  const second = await client.response();

  assertEquals([first, second], ["HTTP/1.1 200 OK too big", "HTTP/1.1 200 OK OK"]);
  await server.close({ graceMs: GRACE_MS });
});

Deno.test("serveHttp() reads a chunked body, and refuses one that is too big", async () => {
  const { server } = serve();
  const post = async (...parts: string[]) => {
    const body = ReadableStream.from(parts.map((part) => new TextEncoder().encode(part)));
    return await (await fetch(`http://${server.address}/small`, { method: "POST", body })).text();
  };

  assertEquals(await post("ten", " bytes."), "read");
  assertEquals(await post("eleven", " bytes"), "too big");
  await server.close({ graceMs: GRACE_MS });
});

Deno.test("HttpServer.close() lets a request finish and refuses new ones", async () => {
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const { server } = serve({
    async handler() {
      entered.resolve();
      await release.promise;
      return new Response("finished");
    },
  });
  const slow = fetch(`http://${server.address}/`);
  await entered.promise;

  const closed = server.close({ graceMs: GRACE_MS });
  const late = await fetch(`http://${server.address}/`);
  release.resolve();

  assertEquals([late.status, await late.text()], [503, ""]);
  assertEquals(await (await slow).text(), "finished");
  await closed;
});

Deno.test("HttpServer.close() ends idle connections and frees the port", async () => {
  const { server } = serve();
  using client = await RawHttpClient.to(server);
  await client.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  await client.response();

  await server.close({ graceMs: GRACE_MS });

  assert(await client.ended());
  const again = serve({ address: { kind: "tcp", hostname: "127.0.0.1", port: server.port ?? 0 } });
  await again.server.close({ graceMs: GRACE_MS });
});

Deno.test("HttpServer.close() cuts off a request that does not finish in time", async () => {
  const entered = Promise.withResolvers<void>();
  const { server, lines } = serve({
    handler() {
      entered.resolve();
      return new Promise(() => {});
    },
  });
  using client = await RawHttpClient.to(server);
  await client.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n");
  await entered.promise;

  await server.close({ graceMs: 20 });

  assert(await client.ended());
  await server.finished;
  assertEquals(lines.at(-1), "WARNING: HTTP: cut off 1 requests after 20ms");
});

Deno.test("HttpServer.close() cuts off a client that does not send its body", async () => {
  const entered = Promise.withResolvers<void>();
  const { server } = serve({
    async handler(request) {
      entered.resolve();
      await request.bytes().catch(() => {});
      return new Response();
    },
  });
  using client = await RawHttpClient.to(server);
  await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello");
  await entered.promise;

  await server.close({ graceMs: 20 });

  assert(await client.ended());
  await server.finished;
});
