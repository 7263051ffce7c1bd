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

/** A node that says who it is, `h` at its own address, and answers all else like that. */
export function fakeNode(answer: (request: FakeHttpRequest) => Response): FakeHttp {
  const node: FakeHttp = new FakeHttp((request): Response => {
    if (request.target !== "/info") return answer(request);
    const port = Number(node.address.split(":")[1]);
    return Response.json({ hostname: "h", broadcast_address: "127.0.0.1", http_port: port });
  });
  return node;
}
