/**
 * Asks for messages of a channel to be published to another topic, and shows before what that would do.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import { UnansweredError } from "../../cluster/asked.ts";
import { lookAtMessages, type SeenMessage, SHOWN_BODY_SIZE } from "../../cluster/messages.ts";
import { deadLetterTopicsOf, originOf } from "../dead_letters.ts";
import { planRedrive, type RedriveOrder, type RedrivePlan } from "../redrive/plan.ts";
import { MESSAGES_MAX, RATE_DEFAULT, RATE_MAX } from "../redrive/redrives.ts";
import { Asking } from "./asking.ts";
import { whole } from "./figures.ts";
import { Layout } from "./layout.tsx";
import { type Markup, NOTHING } from "./markup.ts";
import { Body, timeOf } from "./messages.tsx";
import { Count, Facts, Failures, Table } from "./parts.tsx";
import type { PageRequest } from "./request.ts";

/** The channel that takes what waits in a topic without channels. */
export const NEW_CHANNEL = "redrive";
/** Messages that are shown before. */
const SHOWN_MAX = 3;
const NONE: RedrivePlan = { waiting: [], count: 0, sources: [], targets: [], nodes: [], failures: [] };

/** A form that asks for it, which is open where the topic holds dead letters by its name; nothing for who may not. */
export function RedriveForm(
  { request, topic, channel }: {
    readonly request: PageRequest;
    readonly topic: string;
    readonly channel: string;
  },
): Markup {
  if (!request.may("redrive")) return NOTHING;
  const { redrive } = request.texts;
  const origin = originOf(topic, request.admin.options.deadLetterSuffixes);
  const running = request.admin.redrives.runningOf(topic, channel);
  return (
    <details open={origin !== undefined || running !== undefined}>
      <summary>{origin === undefined ? redrive.summary : redrive.summaryOf(origin)}</summary>
      {running !== undefined && (
        <p>
          <a href={request.paths.redrives}>
            {redrive.running(running.redriven, running.count, running.order.to)}
          </a>
        </p>
      )}
      <p class="quiet">{redrive.about(channel)}</p>
      <form method="post" action={request.paths.channel(topic, channel)} class="controls">
        <label>
          {redrive.to} <input type="text" name="to" value={origin ?? ""} required autocomplete="off" />
        </label>
        <label>
          {redrive.rate}{" "}
          <input
            type="number"
            name="rate"
            value={RATE_DEFAULT}
            min={1}
            max={RATE_MAX}
            autocomplete="off"
          />
        </label>
        <label>
          {redrive.messages(
            <input type="number" name="messages" min={1} max={MESSAGES_MAX} autocomplete="off" />,
          )}
        </label>
        <button type="submit" name="action" value="ask-redrive" class="plain">{redrive.dryRun}</button>
      </form>
    </details>
  );
}

/** Where the dead letters of a topic are, of the topics that are known. */
export function DeadLetterLinks(
  { request, topic }: { readonly request: PageRequest; readonly topic: string },
): Markup {
  const { poller, options } = request.admin;
  const known = deadLetterTopicsOf(topic, options.deadLetterSuffixes)
    .filter((name) => poller.find(name) !== undefined);
  if (known.length === 0) return NOTHING;
  return (
    <p class="quiet">
      {request.texts.redrive.deadLetters(known.map((name, i) => (
        <>
          {i > 0 && ", "}
          <a href={request.paths.topic(name)}>{name}</a>
        </>
      )))}
    </p>
  );
}

/** What it would do, and a button that has it done. */
export async function redriveDryRun(
  request: PageRequest,
  order: RedriveOrder,
): Promise<{ readonly status: number; readonly page: Markup }> {
  const { admin, paths, texts: { redrive, columns, common } } = request;
  const { topic, channel, to, rate } = order;
  const plan = await planned(request, order);
  const shown = request.may("peek") ? await firstMessages(request, order, plan) : [];
  const page = (
    <Layout request={request} title={redrive.title}>
      <h1>{redrive.heading(channel, topic, to)}</h1>
      <Failures request={request} of={plan.failures} shown={redrive.leftThere} />
      <Facts
        of={[
          [redrive.count, whole(plan.count)],
          [redrive.takes, formatDuration(Math.ceil(plan.count / rate) * 1000)],
          [redrive.publishedOn, plan.targets.length === 0 ? redrive.noNode : plan.targets.join(", ")],
        ]}
      />
      <Table caption={redrive.waiting}>
        <thead>
          <tr>
            <th scope="col" class="name">{columns.node}</th>
            <th scope="col" class="n">{columns.messages}</th>
          </tr>
        </thead>
        <tbody>
          {plan.waiting.map(({ node, count }) => (
            <tr>
              <th scope="row" class="name">{node}</th>
              <Count of={count} />
            </tr>
          ))}
        </tbody>
      </Table>
      <FirstMessages request={request} of={shown} />
      {plan.count === 0 ? <p>{redrive.nothing}</p> : (
        <>
          <p>{redrive.means(to, channel)}</p>
          <form method="post" action={paths.channel(topic, channel)} class="actions">
            <RedriveFields order={order} />
            <button type="submit" name="action" value="redrive" class="danger">
              {redrive.button(plan.count)}
            </button>
            <a href={admin.poller.find(topic, channel) ? paths.channel(topic, channel) : paths.topic(topic)}>
              {common.doNot}
            </a>
          </form>
        </>
      )}
    </Layout>
  );
  return { status: 200, page };
}

/** An order, to be said again. */
export function RedriveFields({ order: { to, rate, messages } }: { readonly order: RedriveOrder }): Markup {
  return (
    <>
      <input type="hidden" name="to" value={to} />
      <input type="hidden" name="rate" value={rate} />
      <input type="hidden" name="messages" value={messages} />
    </>
  );
}

async function planned({ admin }: PageRequest, order: RedriveOrder): Promise<RedrivePlan> {
  try {
    return await planRedrive(admin.cluster, order);
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    return { ...NONE, failures: error.failures };
  }
}

/** The first ones of the first node that has any, if it shows messages. */
async function firstMessages(
  { admin }: PageRequest,
  { topic, channel }: RedriveOrder,
  { waiting }: RedrivePlan,
): Promise<readonly SeenMessage[]> {
  const first = waiting.find(({ count }) => count > 0);
  if (first === undefined) return [];
  const parameters = { state: "waiting" };
  const query = { topic, channel: first.hasChannel ? channel : "", parameters, messagesMax: SHOWN_MAX };
  const page = await new Asking().ask(lookAtMessages(admin.cluster, first.node, query), undefined);
  return page?.messages ?? [];
}

function FirstMessages(
  { request, of: messages }: { readonly request: PageRequest; readonly of: readonly SeenMessage[] },
): Markup {
  if (messages.length === 0) return NOTHING;
  const { redrive, columns } = request.texts;
  return (
    <Table caption={redrive.firstOnes}>
      <thead>
        <tr>
          <th scope="col">{columns.published}</th>
          <th scope="col" class="n">{columns.bytes}</th>
          <th scope="col">{columns.body}</th>
        </tr>
      </thead>
      <tbody>
        {messages.map((message) => (
          <tr>
            <td class="n">{timeOf(message.timestamp)}</td>
            <Count of={message.sizeBytes} />
            <td>
              <Body request={request} of={message} as="" sizeMax={SHOWN_BODY_SIZE} />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
