/**
 * A program that does nothing but listen: what every program that listens costs at least.
 *
 * @module
 */

Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen() {} },
  () => new Response("OK"),
);
