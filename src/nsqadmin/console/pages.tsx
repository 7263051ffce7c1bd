/**
 * The routes of the pages, and how they are answered: HTML that works without scripts, below a policy that lets nothing run,
 * and nothing be loaded, but what comes from here (one script: browser/console.ts).
 *
 * @module
 */

import { Answer, type Header, HeaderBlock, statusText } from "../../http/answer.ts";
import { audited } from "../../http/audited.ts";
import { log, type Responder } from "../../http/decorators.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { route } from "../../http/route_table.ts";
import type { HttpRoute } from "../../http/router.ts";
import { recorded } from "../activity.ts";
import type { AdminContext } from "../context.ts";
import { forUsers } from "../login/guard.ts";
import { activityPage } from "./activity.tsx";
import { alertsPage } from "./alerts.tsx";
import { bulkPage, submitBulk, submitBulkGo } from "./bulk.tsx";
import { type FormAnswer, submitForm } from "./change_pages.tsx";
import { channelPage } from "./channel.tsx";
import { channelsPage } from "./channels.tsx";
import css from "./console.css" with { type: "text" };
import { clusterPage } from "./cluster.tsx";
import { consumersPage } from "./consumers.tsx";
import { counterPage } from "./counter.tsx";
import script from "./console.js" with { type: "text" };
import favicon from "./favicon.svg" with { type: "text" };
import { Layout } from "./layout.tsx";
import { loginPage, loginPath, submitLogin, submitLogout } from "./login.tsx";
import { lookupPage } from "./lookup.tsx";
import type { Markup } from "./markup.ts";
import { messagePage } from "./message.tsx";
import { messagesPage } from "./messages.tsx";
import { nodePage } from "./node.tsx";
import { nodesPage } from "./nodes.tsx";
import { overviewPage } from "./overview.tsx";
import { redrivesPage } from "./redrives.tsx";
import { type PageRequest, pageRequest, refusedRequest } from "./request.ts";
import { searchPage } from "./search.tsx";
import { settingsPage, submitSettings } from "./settings_page.tsx";
import { gatherTap, tapPage } from "./tap.tsx";
import { topicPage } from "./topic.tsx";

/** Files that the pages load, by name. */
export const PAGE_FILES: ReadonlyMap<string, string> = new Map([
  ["console.css", css],
  ["console.js", script],
  ["favicon.svg", favicon],
]);

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const COMMON: readonly Header[] = [
  ["Content-Security-Policy", POLICY],
  ["X-Content-Type-Options", "nosniff"],
  ["Referrer-Policy", "same-origin"],
  ["Cache-Control", "no-store"],
];
// NSQ compat: without a charset, which the page tells itself.
const PAGE = new HeaderBlock([["Content-Type", "text/html"], ...COMMON]);

/** The routes of all pages. */
export function pageRoutes(admin: AdminContext): HttpRoute[] {
  const page = (make: (request: PageRequest) => Promise<Markup | Answer>) =>
    responder(admin, async (request) => {
      const made = await make(request);
      return made instanceof Answer ? made : pageAnswer(200, made);
    });
  const answering = (submit: (request: PageRequest) => FormAnswer | Promise<FormAnswer>) =>
    responder(admin, async (request) => {
      const answer = await submit(request);
      const { headers = [] } = answer;
      return "location" in answer
        ? seeOther(answer.location, headers)
        : pageAnswer(answer.status, answer.page, headers);
    });
  const submitted = (submit: (request: PageRequest) => FormAnswer | Promise<FormAnswer>) =>
    audited(admin.audit, recorded(admin, answering(submit)));
  const form = submitted(submitForm);
  const overview = page(overviewPage);
  const { logins } = admin;
  const open = logins === undefined ? [] : [
    route("GET", "/login", page(loginPage)),
    route("POST", "/login", submitted((request) => submitLogin(request, logins))),
    route("POST", "/logout", submitted((request) => submitLogout(request, logins))),
  ];
  const pages = [
    route("GET", "/", overview),
    route("GET", "/topics", overview),
    route("GET", "/topics/:topic", page(topicPage)),
    route("GET", "/topics/:topic/:channel", page(channelPage)),
    route("GET", "/topics/:topic/:channel/messages", recorded(admin, page(messagesPage))),
    route("GET", "/topics/:topic/:channel/messages/:id", recorded(admin, page(messagePage))),
    route("GET", "/channels", page(channelsPage)),
    route("GET", "/consumers", page(consumersPage)),
    route("GET", "/nodes", page(nodesPage)),
    route("GET", "/nodes/:node", page(nodePage)),
    route("GET", "/counter", page(counterPage)),
    route("GET", "/cluster", page(clusterPage)),
    route("GET", "/lookup", page(lookupPage)),
    route("GET", "/alerts", page(alertsPage)),
    route("GET", "/activity", page(activityPage)),
    route("GET", "/settings", page(settingsPage)),
    // Nothing that others would have to know of.
    route("POST", "/settings", answering(submitSettings)),
    route("GET", "/search", page(searchPage)),
    route("POST", "/nodes/:node", form),
    route("GET", "/tap/:topic", recorded(admin, page(tapPage))),
    route("POST", "/tap/:topic", submitted(gatherTap)),
    route("GET", "/redrives", page(redrivesPage)),
    route("POST", "/redrives", form),
    route("POST", "/consumers", form),
    route("GET", "/bulk/:go", page(bulkPage)),
    route("POST", "/bulk", submitted(submitBulk)),
    route("POST", "/bulk/:go", submitted(submitBulkGo)),
    route("POST", "/topics", form),
    route("POST", "/topics/:topic", form),
    route("POST", "/topics/:topic/:channel", form),
  ];
  const refuse = (context: RequestContext, error: HttpError) =>
    responder(admin, ({ paths }) => {
      if (error.status !== 401 || !looksForPage(context)) return Promise.reject(error);
      return Promise.resolve(seeOther(loginPath(paths, context)));
    })(context);
  return [...open, ...forUsers(admin, pages, refuse)];
}

/** Answers with a page also what is refused. */
function responder(admin: AdminContext, work: (request: PageRequest) => Promise<Answer>): Responder {
  const logged = log(admin.logger)((context) => work(pageRequest(admin, context)));
  return async (context) => {
    try {
      return await logged(context) as Answer;
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const page = <RefusalPage request={refusedRequest(admin, context)} error={error} />;
      return pageAnswer(error.status, page, error.headers);
    }
  };
}

function seeOther(location: string, headers: readonly Header[] = []): Answer {
  return new Answer(303, new HeaderBlock([["Location", location], ...headers, ...COMMON]));
}

function pageAnswer(status: number, page: Markup, headers: readonly Header[] = []): Answer {
  return new Answer(status, PAGE.with(headers), `<!doctype html>\n${page}`);
}

/** A browser that goes somewhere, and can be sent to the login page; scripts are to see that they were refused. */
function looksForPage({ method, request: { headers } }: RequestContext): boolean {
  const accepted = headers.get("accept") ?? "*/*";
  const isPage = accepted.includes("text/html") || accepted.includes("*/*");
  return method === "GET" && headers.get("authorization") === undefined && isPage;
}

function RefusalPage(
  { request, error }: { readonly request: PageRequest; readonly error: HttpError },
): Markup {
  const { refused } = request.texts;
  const statuses: Readonly<Record<number, string>> = refused.statuses;
  const reasons: Readonly<Record<string, string>> = refused.reasons;
  const text = statuses[error.status] ?? statusText(error.status);
  return (
    <Layout request={request} title={text}>
      <h1>{text}</h1>
      <p class="warning" role="alert">{reasons[error.message] ?? error.message}</p>
      {error.message === "UNAUTHORIZED" && (
        <p>
          <a href={loginPath(request.paths, request.context)}>{refused.logIn}</a>
        </p>
      )}
    </Layout>
  );
}
