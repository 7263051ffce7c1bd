/**
 * Files of the pages: those that are built in, or those in a folder, for whoever works on them (nsqadmin/http.go,
 * `staticAssetHandler`).
 *
 * @module
 */

import { Answer, type Header, HeaderBlock } from "../../http/answer.ts";
import { type Handler, log, plainText, type Responder } from "../../http/decorators.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { AdminContext } from "../context.ts";

/** The largest file that is served, in bytes. */
export const STATIC_FILE_SIZE_MAX = 16 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  woff: "application/font-woff",
  woff2: "application/font-woff2",
  ttf: "application/font-sfnt",
  eot: "application/vnd.ms-fontobject",
};
const NO_SNIFFING: Header = ["X-Content-Type-Options", "nosniff"];

/** `GET /static/:asset`; `builtIn` are texts by name. */
export function staticFiles(admin: AdminContext, builtIn: ReadonlyMap<string, string>): Responder {
  const find: Handler = async ({ params: { asset } }: RequestContext) => {
    const { devStaticDir } = admin.options;
    if (devStaticDir === "") return builtIn.get(asset) ?? notFound();
    admin.logger.debug(
      `using dev dir ${JSON.stringify(devStaticDir)} for static asset ${JSON.stringify(asset)}`,
    );
    return await readFile(devStaticDir, asset);
  };
  const logged = log(admin.logger)(find);
  return async (request) => {
    const found: { body?: string | Uint8Array<ArrayBuffer> } = {};
    const refused = await plainText(async (context) => {
      found.body = await logged(context) as string | Uint8Array<ArrayBuffer>;
    })(request);
    if (found.body === undefined) return refused;
    const type = TYPES[request.params.asset.slice(request.params.asset.lastIndexOf(".") + 1)];
    const headers: Header[] = type === undefined ? [NO_SNIFFING] : [["Content-Type", type], NO_SNIFFING];
    return new Answer(
      200,
      new HeaderBlock(headers),
      typeof found.body === "string" ? found.body : [found.body],
    );
  };
}

async function readFile(folder: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  if (/[/\\\0]/.test(name) || name.startsWith("..")) return notFound();
  const path = `${folder}/${name}`;
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size > STATIC_FILE_SIZE_MAX) return notFound();
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return notFound();
    }
    throw error;
  }
}

function notFound(): never {
  throw new HttpError(404, "NOT_FOUND");
}
