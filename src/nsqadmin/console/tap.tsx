/**
 * A live look at the messages of a topic: as they come where scripts run, and gathered for some seconds otherwise.
 *
 * @module
 */

import { httpAddressOf } from "../../cluster/cluster_nodes.ts";
import { SHOWN_BODY_SIZE } from "../../cluster/messages.ts";
import type { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { wholeNumber } from "../../http/whole_number.ts";
import { mayGoOn, requireRight } from "../access.ts";
import type { AdminContext } from "../context.ts";
import type { TapOrder, TappedMessage } from "../tap/tap.ts";
import { type Gathered, GATHERED_MAX, GATHERING_MAX_S, READY_MAX, TAP_RATE_MAX } from "../tap/taps.ts";
import { Asking } from "./asking.ts";
import { type FormAnswer, formText } from "./change_pages.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { Body, BodyChoice, Choice, timeOf } from "./messages.tsx";
import { bodyForm } from "./messages_view.ts";
import { Count, EmptyRow, Failures, Table } from "./parts.tsx";
import { type PageRequest, pageRequest, queryOf } from "./request.ts";

/** What is ready where nobody says. */
const READY_DEFAULT = 10;
const GATHERING_DEFAULT_S = 5;

/** `GET /tap/:topic` */
export async function tapPage(request: PageRequest): Promise<Markup> {
  requireRight(request.admin, request.context, "peek");
  return await page(request, request.query);
}

/** `POST /tap/:topic`: what comes within some seconds. */
export async function gatherTap(request: PageRequest): Promise<FormAnswer> {
  requireRight(request.admin, request.context, "peek");
  const form = queryOf(await formText(request.context));
  const seconds = wholeNumber(
    form.get("seconds"),
    { otherwise: GATHERING_DEFAULT_S, max: GATHERING_MAX_S },
    "INVALID_SECONDS",
  );
  const gathered = await request.admin.taps.gather(orderOf(request.context, form), {
    seconds,
    messages: GATHERED_MAX,
    words: request.texts.tap.words,
  });
  return { status: 200, page: await page(request, form, { ...gathered, seconds }) };
}

/** `GET /tap/:topic/events` */
export function tapEvents(admin: AdminContext, context: RequestContext): Answer {
  requireRight(admin, context, "peek");
  // A page of another site makes no channels here; browsers say whose it is.
  const site = context.request.headers.get("sec-fetch-site") ?? "none";
  if (site !== "same-origin" && site !== "none") throw new HttpError(403, "FOREIGN_ORIGIN");
  const request = pageRequest(admin, context);
  const { query } = request;
  const as = bodyForm(query.get("as") ?? "");
  return admin.taps.stream(orderOf(context, query), {
    words: request.texts.tap.words,
    textOf: (message) => String(<Row request={request} of={message} as={as} />),
    mayGoOn: () => mayGoOn(admin, context, "peek"),
  });
}

/** @throws {HttpError} 400 for what is no order. */
function orderOf({ params: { topic } }: RequestContext, said: ReadonlyMap<string, string>): TapOrder {
  return {
    topic,
    node: said.get("node") ?? "",
    ready: wholeNumber(said.get("ready"), { otherwise: READY_DEFAULT, max: READY_MAX }, "INVALID_READY"),
  };
}

async function page(
  request: PageRequest,
  said: ReadonlyMap<string, string>,
  gathered?: Gathered & { readonly seconds: number },
): Promise<Markup> {
  const { admin, context: { params: { topic } }, paths, texts, texts: { tap, columns } } = request;
  const asking = new Asking();
  const addresses = (await asking.ask(admin.views.topicNodes(topic), [])).map(httpAddressOf).sort();
  const as = bodyForm(said.get("as") ?? "");
  return (
    <Layout request={request} title={tap.title(topic)}>
      <p>{texts.common.topicLink(<a href={paths.topic(topic)}>{topic}</a>)}</p>
      <h1>{tap.heading(topic)}</h1>
      <p class="done">{tap.about(TAP_RATE_MAX)}</p>
      <Failures request={request} of={asking.failures} shown={tap.leftOut} />
      <form method="post" action={paths.tap(topic)} class="controls" data-tap={paths.tapEvents(topic)}>
        <Choice
          label={texts.messages.node}
          name="node"
          value={said.get("node") ?? ""}
          of={[["", tap.allNodes], ...addresses.map((each) => [each, each] as const)]}
        />
        <BodyChoice texts={texts.messages} value={as} />
        <label>
          {tap.ready}{" "}
          <input
            type="number"
            name="ready"
            value={said.get("ready") || READY_DEFAULT}
            min={1}
            max={READY_MAX}
          />
        </label>
        <label>
          {tap.seconds}{" "}
          <input
            type="number"
            name="seconds"
            value={said.get("seconds") || GATHERING_DEFAULT_S}
            min={1}
            max={GATHERING_MAX_S}
          />
        </label>
        <button type="submit" class="plain">{tap.gather}</button>
      </form>
      {gathered !== undefined && gathered.problems.length > 0 && (
        <section class="warning" role="alert">
          <ul>{gathered.problems.map((text) => <li>{text}</li>)}</ul>
        </section>
      )}
      <Table caption={tap.caption}>
        <thead>
          <tr>
            <th scope="col">{columns.published}</th>
            <th scope="col">{columns.id}</th>
            <th scope="col" class="name">{columns.node}</th>
            <th scope="col" class="n">{columns.attempts}</th>
            <th scope="col" class="n">{columns.bytes}</th>
            <th scope="col">{columns.body}</th>
          </tr>
        </thead>
        <tbody>
          {gathered?.messages.map((message) => <Row request={request} of={message} as={as} />)}
          {(gathered?.messages.length ?? 0) === 0 && (
            <EmptyRow columns={6}>
              {gathered === undefined ? tap.noneYet : tap.noneIn(gathered.seconds)}
            </EmptyRow>
          )}
        </tbody>
      </Table>
    </Layout>
  );
}

function Row(
  { request, of, as }: {
    readonly request: PageRequest;
    readonly of: TappedMessage;
    readonly as: string;
  },
): Markup {
  return (
    <tr>
      <td class="n">{timeOf(of.timestamp)}</td>
      <th scope="row" class="n">
        <code>{of.id}</code>
      </th>
      <td class="name">{of.node}</td>
      <Count of={of.attempts} />
      <Count of={of.sizeBytes} />
      <td>
        <Body request={request} of={of} as={as} sizeMax={SHOWN_BODY_SIZE} />
      </td>
    </tr>
  );
}
