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
  const text = statusText(error.status);
  return (
    <Layout request={request} title={text}>
      <h1>{text}</h1>
      <p class="warning" role="alert">{REASONS[error.message] ?? error.message}</p>
      {error.message === "UNAUTHORIZED" && (
        <p>
          <a href={loginPath(request.paths, request.context)}>Log in</a>
        </p>
      )}
    </Layout>
  );
}

const REASONS: Readonly<Record<string, string>> = {
  UNAUTHORIZED: "You are not logged in, or not any more: nothing was done.",
  FORBIDDEN: "You may not do that: ask whoever runs this nsqadmin (--user-file, --admin-user).",
  INVALID_TOPIC: "That is no name of a topic: up to 64 of the characters a-z, A-Z, 0-9, . _ and -.",
  INVALID_CHANNEL: "That is no name of a channel: up to 64 of the characters a-z, A-Z, 0-9, . _ and -.",
  INVALID_ACTION: "That cannot be done here.",
  NODE_NOT_GONE: "This node is not gone, or is forgotten already.",
  INVALID_TARGET:
    "That is no topic to publish to: another one than they come from, and none that is ephemeral.",
  INVALID_RATE: "That is no rate: 1 to 10,000 messages in a second.",
  INVALID_MESSAGES: "That is no number of messages: 1 to 1,000,000.",
  NOTHING_TO_REDRIVE: "Nothing waits there any more.",
  REDRIVE_RUNNING: "Messages of this channel are being redriven already.",
  REDRIVE_OVER: "It is over already.",
  REDRIVE_NOT_FOUND: "There is no such redrive.",
  TOO_MANY_REDRIVES: "There are as many redrives as there can be at a time: wait, or cancel one.",
  TOO_MANY_TAPS: "There are as many taps as there can be at a time: close one.",
  INVALID_READY: "That is no number of messages at a time: 1 to 50.",
  INVALID_SECONDS: "That is no number of seconds: 1 to 10.",
  INVALID_COUNT: "That is no number of messages: 1 to 10,000.",
  NODE_NOT_FOUND: "Nobody tells of such a node that has the topic.",
  MISSING_CLIENT: "It is not said who is to be cut off.",
  CLIENT_NOT_FOUND: "No such consumer is connected any more.",
  INVALID_FORMAT: "That is no format of a table: json or csv.",
  INVALID_TABLE: "There is no such table on this page.",
  MSG_EMPTY: "A message must say something.",
  MSG_TOO_BIG: "Messages from here have 64 KiB at most.",
  INVALID_DEFER: "That is no delay: a whole number of milliseconds.",
  INVALID_BODY: "That is too much.",
  INVALID_NAME: "One of these is no name of a topic or channel.",
  NOTHING_TICKED: "Nothing is ticked: tick rows of the table, or take all that the filter lets through.",
  NOTHING_FOUND: "There is nothing that this could be done with.",
  TOO_MANY_NAMES: "These are too many for one go: 1,000 at most.",
  TOO_MANY_CHANGES: "Changes of many are being made: two at a time. Wait until one has ended, or stop it.",
  NO_SUCH_GO:
    "That is not known any more: the last 20 are kept, as long as nsqadmin runs. The activity may tell of it.",
  TOO_MANY_PAGES: "Too many pages are open.",
};
