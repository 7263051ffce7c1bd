import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { Answer, HeaderBlock } from "../../src/http/answer.ts";
import { compressed } from "../../src/http/compressed.ts";
import { httpRequest } from "../support/http_call.ts";

const TEXT = "some text ".repeat(20_000);

/** The coding that an answer has, and the answer without it. */
async function coding(accepted: string | undefined, body: Answer["body"] = TEXT) {
  const headers: Record<string, string> = accepted === undefined ? {} : { "accept-encoding": accepted };
  const handler = compressed(() => Promise.resolve(new Answer(201, new HeaderBlock([["X-A", "b"]]), body)));
  const answer = await handler(httpRequest({ target: "/", headers }));
  if (answer.body instanceof ReadableStream) throw new Error("The answer is a stream");
  const bytes = typeof answer.body === "string" ? new TextEncoder().encode(answer.body) : concat(answer.body);
  const [, ...added] = answer.headers.list;
  const format = added[0]?.[1] === "deflate" ? "deflate-raw" : "gzip";
  const plain = added.length === 0 || bytes.length === 0
    ? bytes
    : await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format))).bytes();
  return { status: answer.status, added, size: bytes.length, text: new TextDecoder().decode(plain) };
}

for (
  const [accepted, name] of [
    ["gzip", "gzip"],
    ["deflate", "deflate"],
    ["br, deflate, gzip", "deflate"],
    [" gzip ,br", "gzip"],
  ]
) {
  Deno.test(`compressed() answers a client that takes ${JSON.stringify(accepted)} in ${name}`, async () => {
    const { status, added, size, text } = await coding(accepted);

    assertEquals([status, text], [201, TEXT]);
    assertEquals(added, [["Content-Encoding", name], ["Vary", "Accept-Encoding"]]);
    assertEquals(size < TEXT.length / 10, true);
  });
}

for (const accepted of [undefined, "", "identity", "br", "gzip;q=0"]) {
  Deno.test(`compressed() leaves an answer as it is for ${JSON.stringify(accepted)}`, async () => {
    assertEquals(await coding(accepted), { status: 201, added: [], size: TEXT.length, text: TEXT });
  });
}

Deno.test("compressed() compresses an answer in pieces, and leaves an empty one alone", async () => {
  const pieces = ["some", " ", "text"].map((text) => new TextEncoder().encode(text));

  assertEquals((await coding("gzip", pieces)).text, "some text");
  assertEquals((await coding("gzip", "")).added, []);
});

Deno.test("compressed() leaves a stream as it is", async () => {
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>();
  const handler = compressed(() => Promise.resolve(new Answer(200, new HeaderBlock([]), stream)));
  const answer = await handler(httpRequest({ target: "/", headers: { "accept-encoding": "gzip" } }));

  assertEquals([answer.body === stream, answer.headers.list], [true, []]);
});
