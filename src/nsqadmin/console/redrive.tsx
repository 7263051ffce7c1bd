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
  const origin = originOf(topic, request.admin.options.deadLetterSuffixes);
  const running = request.admin.redrives.runningOf(topic, channel);
  return (
    <details open={origin !== undefined || running !== undefined}>
      <summary>Redrive{origin !== undefined && `: these are dead letters of ${origin}`}</summary>
      {running !== undefined && (
        <p>
          <a href={request.paths.redrives}>
            {running.redriven.toLocaleString("en")} of {running.count.toLocaleString("en")} are redriven to
            {" "}
            {running.order.to}
          </a>
        </p>
      )}
      <p class="quiet">
        Publishes messages of channel {channel} to another topic; they are gone from here then.
      </p>
      <form method="post" action={request.paths.channel(topic, channel)} class="controls">
        <label>
          To topic <input type="text" name="to" value={origin ?? ""} required autocomplete="off" />
        </label>
        <label>
          Messages in a second{" "}
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
          At most <input type="number" name="messages" min={1} max={MESSAGES_MAX} autocomplete="off" />{" "}
          messages
        </label>
        <button type="submit" name="action" value="ask-redrive" class="plain">Dry run…</button>
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
      Dead letters are in {known.map((name, i) => (
        <>
          {i > 0 && ", "}
          <a href={request.paths.topic(name)}>{name}</a>
        </>
      ))}
    </p>
  );
}

/** What it would do, and a button that has it done. */
export async function redriveDryRun(
  request: PageRequest,
  order: RedriveOrder,
): Promise<{ readonly status: number; readonly page: Markup }> {
  const { admin, paths } = request;
  const { topic, channel, to, rate } = order;
  const plan = await planned(request, order);
  const shown = request.may("peek") ? await firstMessages(request, order, plan) : [];
  const page = (
    <Layout request={request} title="Redrive?">
      <h1>Redrive channel {channel} of topic {topic} to topic {to}?</h1>
      <Failures of={plan.failures} shown="What waits there is left where it is, as far as it is not known." />
      <Facts
        of={[
          ["Messages", plan.count.toLocaleString("en")],
          ["Takes about", formatDuration(Math.ceil(plan.count / rate) * 1000)],
          ["Published on", plan.targets.length === 0 ? "no node" : plan.targets.join(", ")],
        ]}
      />
      <Table caption="What waits">
        <thead>
          <tr>
            <th scope="col" class="name">Node</th>
            <th scope="col" class="n">Messages</th>
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
      <FirstMessages of={shown} />
      {plan.count === 0 ? <p>Nothing waits there: nothing would be done.</p> : (
        <>
          <p>
            Each is published to {to}, and is gone from channel {channel}{" "}
            when that is acknowledged. Nothing is lost; if a connection is lost meanwhile, some may be
            published twice.
          </p>
          <form method="post" action={paths.channel(topic, channel)} class="actions">
            <RedriveFields order={order} />
            <button type="submit" name="action" value="redrive" class="danger">
              Redrive {plan.count.toLocaleString("en")}
            </button>
            <a href={admin.poller.find(topic, channel) ? paths.channel(topic, channel) : paths.topic(topic)}>
              Do not
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

function FirstMessages({ of: messages }: { readonly of: readonly SeenMessage[] }): Markup {
  if (messages.length === 0) return NOTHING;
  return (
    <Table caption="The first of them">
      <thead>
        <tr>
          <th scope="col">Published</th>
          <th scope="col" class="n">Bytes</th>
          <th scope="col">Body</th>
        </tr>
      </thead>
      <tbody>
        {messages.map((message) => (
          <tr>
            <td class="n">{timeOf(message.timestamp)}</td>
            <Count of={message.sizeBytes} />
            <td>
              <Body of={message} as="" sizeMax={SHOWN_BODY_SIZE} />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
