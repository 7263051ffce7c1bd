import { assertEquals } from "@std/assert";
import { Answer, HeaderBlock } from "../../src/http/answer.ts";
import { TestHttpServer, WAYS } from "../support/http_server.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";

const NO_HEADERS = new HeaderBlock([]);

for (const [name, serve] of WAYS) {
  Deno.test(`${name} ends a stream that fails, and serves the next client`, async () => {
    let controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({ start: (made) => void (controller = made) });
    let count = 0;
    const handler = () => Promise.resolve(new Answer(200, NO_HEADERS, count++ === 0 ? stream : "next"));
    await using server = new TestHttpServer({ serve, handler });
    using client = await RawHttpClient.to(server);
    await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.head();
    // A rejection that nobody has waited for would end the daemon, and this test.
    controller.error(new Deno.errors.TimedOut("The client does not read"));
    assertEquals(await client.ended(), true);

    assertEquals(await (await fetch(server.url)).text(), "next");
  });
}
