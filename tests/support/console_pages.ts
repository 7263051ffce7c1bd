/**
 * Pages of an nsqadmin, and nodes that tell them what a test wants.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { FakeHttp, type FakeHttpRequest } from "./fake_http.ts";
import { HtmlPage } from "./html_page.ts";
import type { NsqadminInProcess } from "./nsqadmin_in_process.ts";

/** The page at that path, which must be there. */
export async function pageAt(
  admin: NsqadminInProcess,
  target: string,
  headers: Record<string, string> = {},
): Promise<HtmlPage> {
  const { status, text } = await admin.ask("GET", target, { headers });
  assertEquals([target, status], [target, 200], text);
  return new HtmlPage(text);
}

/** Presses a button of a page, with fields filled in as given; the answer, or the page that it leads to. */
export async function press(
  admin: NsqadminInProcess,
  target: string,
  { page, button, fields = {}, headers = {} }: {
    readonly page: HtmlPage;
    readonly button: string;
    /** In place of what the form has; of several of a name all. */
    readonly fields?: Readonly<Record<string, string | readonly string[]>>;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<{ readonly status: number; readonly location: string | null; readonly page: HtmlPage }> {
  const { action = target, body } = page.button(button);
  const form = new URLSearchParams(body);
  for (const [name, values] of Object.entries(fields)) {
    form.delete(name);
    for (const value of [values].flat()) form.append(name, value);
  }
  const answer = await admin.ask("POST", action, {
    body: form.toString(),
    headers: { "Content-Type": "application/x-www-form-urlencoded", Origin: admin.url, ...headers },
  });
  return { status: answer.status, location: answer.headers.get("location"), page: new HtmlPage(answer.text) };
}

/** A node that says who it is, `h` at its own address, and answers all else like that. */
export function fakeNode(
  answer: (request: FakeHttpRequest) => Response | Promise<Response>,
  options: { readonly port?: number } = {},
): FakeHttp {
  const node: FakeHttp = new FakeHttp((request): Response | Promise<Response> => {
    if (request.target !== "/info") return answer(request);
    const port = Number(node.address.split(":")[1]);
    return Response.json({ hostname: "h", broadcast_address: "127.0.0.1", http_port: port });
  }, options);
  return node;
}

/** What an nsqlookupd says of a node at that address. */
function producer(address: string): Record<string, unknown> {
  const [broadcast_address, port] = address.split(":");
  return {
    hostname: `host-${port}`,
    broadcast_address,
    http_port: Number(port),
    tcp_port: Number(port),
    version: "1.3.0",
  };
}

/** A node with a topic, and messages in it. */
export function nodeWith(depth: () => number, options: { readonly port?: number } = {}): FakeHttp {
  const topic = () => ({ topic_name: "t", depth: depth(), message_count: 9 });
  return new FakeHttp(() => Response.json({ topics: [topic()] }), options);
}

/** An nsqlookupd that tells of nodes at these addresses, and answers otherwise what a test wants it to. */
export function lookupdOf(
  addresses: () => readonly string[],
  otherwise: (request: FakeHttpRequest) => Response | Promise<Response> | undefined = () => undefined,
): FakeHttp {
  return new FakeHttp((request) => {
    const told = request.target === "/info" ? { version: "1.3.0" } : { producers: addresses().map(producer) };
    return otherwise(request) ?? Response.json(told);
  });
}
