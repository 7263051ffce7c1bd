/**
 * Messages of a channel on one node: what they say, and what can be done with each. Bodies come from whoever may publish:
 * they are shown as texts, of limited length, whatever is in them. Only those see them who may.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import { httpAddressOf } from "../../cluster/cluster_nodes.ts";
import {
  lookAtMessages,
  type MessagesPage,
  type SeenMessage,
  SHOWN_BODY_SIZE,
} from "../../cluster/messages.ts";
import type { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import { requireRight } from "../access.ts";
import { deadLetterTopicsOf } from "../dead_letters.ts";
import { Asking } from "./asking.ts";
import { exported, fileOf } from "./export.tsx";
import { laidOutJson } from "./json_layout.ts";
import { Layout } from "./layout.tsx";
import { exportedMessages, MESSAGE_FIELDS, MessageExportLinks } from "./message_export.tsx";
import type { Markup } from "./markup.ts";
import {
  askedParameters,
  type MessagesView,
  messagesView,
  SEARCHES,
  STATES,
  viewQuery,
} from "./messages_view.ts";
import { ChangeButton, Count, EmptyRow, Failures, Table } from "./parts.tsx";
import type { PageRequest } from "./request.ts";
import type { Texts } from "./texts/texts.ts";

/** What one cannot see, or what moves the text around it: all controls, also those of direction, but tab and newline. */
const UNSEEN = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Channels of a topic of dead letters that are named. */
const DEAD_CHANNELS_MAX = 20;
/** Digits of a timestamp that are not of a millisecond. */
const NS_DIGITS_OF_MS = 6;

/** `GET /topics/:topic/:channel/messages` */
export async function messagesPage(request: PageRequest): Promise<Markup | Answer> {
  const { admin, context, texts, texts: { messages } } = request;
  requireRight(admin, context, "peek");
  const { cluster } = admin;
  const { topic, channel } = context.params;
  const asking = new Asking();
  const addresses = (await asking.ask(admin.views.topicNodes(topic), [])).map(httpAddressOf).sort();
  const given = messagesView(request.query);
  const view = { ...given, node: given.node || (addresses[0] ?? "") };
  const looking = new Asking();
  const isKnown = addresses.includes(view.node);
  const query = { topic, channel, parameters: askedParameters(view) };
  if (request.query.get("format") === "ndjson") {
    if (!isKnown) throw new HttpError(404, "NODE_NOT_FOUND");
    return exportedMessages(request, view.node, query);
  }
  const page = isKnown && view.state !== "dead"
    ? await looking.ask(lookAtMessages(cluster, view.node, query), undefined)
    : undefined;
  const reason = isKnown ? looking.failures[0]?.reason : messages.noSuchNode;
  const file = exported(
    request,
    { messages: fileOf(page?.messages ?? [], MESSAGE_FIELDS) },
    looking.failures,
  );
  if (file) return await file;
  return (
    <Layout request={request} title={messages.title(topic, channel)}>
      <p>
        {texts.common.topicLink(<a href={request.paths.topic(topic)}>{topic}</a>)} ·{" "}
        {texts.common.channelLink(
          <a href={request.paths.channel(topic, channel)}>{channel}</a>,
        )}
      </p>
      <h1>{messages.heading(channel)}</h1>
      <Failures request={request} of={asking.failures} shown={messages.cannotBeChosen} />
      {view.node === "" ? <p>{messages.noNode}</p> : (
        <>
          <Controls request={request} view={view} addresses={addresses} />
          {view.state === "dead"
            ? <DeadLetters request={request} topic={topic} />
            : page === undefined
            ? (
              <p class="warning" role="alert">
                {messages.notShown(<code>{view.node}</code>, reason)}
              </p>
            )
            : <Found request={request} view={view} page={page} />}
        </>
      )}
    </Layout>
  );
}

/** Dead letters are messages of other topics. */
function DeadLetters({ request, topic }: { readonly request: PageRequest; readonly topic: string }): Markup {
  const { admin: { poller, options }, texts: { messages } } = request;
  poller.note();
  const known = deadLetterTopicsOf(topic, options.deadLetterSuffixes).flatMap((name) =>
    poller.find(name) ?? []
  );
  if (known.length === 0) return <p>{messages.noDeadLetters(topic)}</p>;
  return (
    <ul>
      {known.map(({ name, channels }) => {
        const link = <a href={request.paths.topic(name)}>{name}</a>;
        const ofChannels = [...channels.keys().take(DEAD_CHANNELS_MAX)].map((channel) => (
          <>
            <a href={request.paths.messages(name, channel)}>{channel}</a>
            {" "}
          </>
        ));
        return <li>{channels.size === 0 ? link : messages.deadLetters(link, ofChannels)}</li>;
      })}
    </ul>
  );
}

function Controls(
  { request: { texts: { messages, table } }, view, addresses }: {
    readonly request: PageRequest;
    readonly view: MessagesView;
    readonly addresses: readonly string[];
  },
): Markup {
  const { states, searches } = messages;
  const stateNames = Object.keys(STATES) as (keyof typeof STATES)[];
  const searchNames = Object.keys(SEARCHES) as (keyof typeof SEARCHES)[];
  return (
    <form method="get" class="controls" role="search">
      <Choice
        label={messages.node}
        name="node"
        value={view.node}
        of={addresses.map((each) => [each, each])}
      />
      <Choice
        label={messages.state}
        name="state"
        value={view.state}
        of={[["", messages.anyState], ...stateNames.map((name) => [name, states[name]] as const)]}
      />
      <Choice
        label={messages.searchBy}
        name="by"
        value={view.by}
        of={searchNames.map((name) => [name, searches[name]])}
      />
      <label>
        {messages.searchFor} <input type="search" name="search" value={view.search} autocomplete="off" />
      </label>
      <label>
        {messages.pathValue}{" "}
        <input
          type="text"
          name="value"
          value={view.value}
          placeholder={messages.anyValue}
          autocomplete="off"
        />
      </label>
      <BodyChoice texts={messages} value={view.as} />
      <button type="submit" class="plain">{table.show}</button>
    </form>
  );
}

/** How bodies are shown. */
export function BodyChoice(
  { texts: { bodiesAs, bodies }, value }: { readonly texts: Texts["messages"]; readonly value: string },
): Markup {
  return (
    <Choice
      label={bodiesAs}
      name="as"
      value={value}
      of={[["", bodies.text], ["json", bodies.json], ["hex", bodies.hex]]}
    />
  );
}

/** A choice of a form. */
export function Choice(
  { label, name, value, of: choices }: {
    readonly label: string;
    readonly name: string;
    readonly value: string;
    readonly of: readonly (readonly [value: string, text: string])[];
  },
): Markup {
  return (
    <label>
      {label}{" "}
      <select name={name}>
        {choices.map(([each, text]) => <option value={each} selected={each === value}>{text}</option>)}
      </select>
    </label>
  );
}

function Found(
  { request, view, page }: {
    readonly request: PageRequest;
    readonly view: MessagesView;
    readonly page: MessagesPage;
  },
): Markup {
  const { messages, cursor, looked, unreadable, partly } = page;
  const { texts, texts: { columns } } = request;
  return (
    <>
      <Table caption={texts.messages.caption(view.node)}>
        <thead>
          <tr>
            <th scope="col">{columns.id}</th>
            <th scope="col">{columns.state}</th>
            <th scope="col" class="n">{columns.attempts}</th>
            <th scope="col">{columns.published}</th>
            <th scope="col" class="n">{columns.bytes}</th>
            <th scope="col">{columns.body}</th>
            <th scope="col">{columns.actions}</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((message) => <Row request={request} view={view} message={message} />)}
          {messages.length === 0 && (
            <EmptyRow columns={7}>
              {cursor === "" ? texts.common.none : texts.messages.noneYet}
            </EmptyRow>
          )}
        </tbody>
      </Table>
      <p>
        {texts.messages.looked(looked)}
        {unreadable > 0 && ` ${texts.messages.unreadable(unreadable)}`}
        {partly > 0 && ` ${texts.messages.partly(partly)}`}
      </p>
      <MessageExportLinks request={request} />
      <nav class="actions" aria-label={texts.table.pages}>
        {view.cursor !== "" && <a href={viewQuery({ ...view, cursor: "" })}>{texts.table.first}</a>}
        {cursor !== "" && <a href={viewQuery({ ...view, cursor })}>{texts.table.next}</a>}
      </nav>
    </>
  );
}

function Row(
  { request, view, message }: {
    readonly request: PageRequest;
    readonly view: MessagesView;
    readonly message: SeenMessage;
  },
): Markup {
  const { topic, channel } = request.context.params;
  return (
    <tr>
      <th scope="row" class="n">
        <a href={request.paths.message(topic, channel, { id: message.id, node: view.node })}>
          <code>{seen(message.id)}</code>
        </a>
      </th>
      <td>{stateOf(request.texts, message)}</td>
      <Count of={message.attempts} />
      <td class="n">{timeOf(message.timestamp)}</td>
      <Count of={message.sizeBytes} />
      <td>
        <Body request={request} of={message} as={view.as} sizeMax={SHOWN_BODY_SIZE} />
      </td>
      <td>
        <MessageButtons request={request} view={view} message={message} />
      </td>
    </tr>
  );
}

/** What can be done with a message. */
export function MessageButtons(
  { request, view, message }: {
    readonly request: PageRequest;
    readonly view: MessagesView;
    readonly message: SeenMessage;
  },
): Markup {
  const { topic, channel } = request.context.params;
  const { messages, actions } = request.texts;
  const to = request.paths.channel(topic, channel);
  const fields = { node: view.node, id: message.id, at: viewQuery(view).slice(1) };
  const isDeferred = message.state === "deferred" || message.state === "parked";
  return (
    <>
      {request.may("requeue") && (
        <ChangeButton to={to} action="requeue-message" fields={fields}>
          {isDeferred ? messages.deliver : messages.requeue}
        </ChangeButton>
      )}
      {isDeferred && request.may("delete") && (
        <ChangeButton to={to} action="cancel-message" fields={fields} danger>{messages.cancel}</ChangeButton>
      )}
      {request.may("delete") && (
        <ChangeButton to={to} action="delete-message" fields={fields} danger>{actions.delete}</ChangeButton>
      )}
    </>
  );
}

/** What a message says, as far as is known. */
export function Body(
  { request: { texts: { messages } }, of: { text, bytes, isCut }, as, sizeMax }: {
    readonly request: PageRequest;
    readonly of: Pick<SeenMessage, "text" | "bytes" | "isCut">;
    /** As in {@linkcode MessagesView}. */
    readonly as: string;
    readonly sizeMax: number;
  },
): Markup {
  const laidOut = as === "json" && text !== undefined && !isCut ? laidOutJson(text) : undefined;
  return (
    <>
      <code class="body" dir="auto">
        {as === "hex" || text === undefined ? hexOf(bytes) : seen(laidOut ?? text)}
      </code>
      {text === undefined && as !== "hex" && <span class="quiet">{messages.noText}</span>}
      {as === "json" && text !== undefined && laidOut === undefined && (
        <span class="quiet">{isCut ? messages.notWhole : messages.noJson}</span>
      )}
      {isCut && <span class="quiet">{messages.cut(sizeMax)}</span>}
    </>
  );
}

/** In which state it is, in words. */
export function stateOf(
  { messages }: Texts,
  { state, client, expiresInMs, dueInMs }: SeenMessage,
): string {
  if (state === "in_flight") {
    return expiresInMs === undefined
      ? messages.inFlight(seen(client))
      : messages.inFlightFor(seen(client), secondsOf(expiresInMs));
  }
  if (state === "waiting") return messages.waiting;
  if (state !== "deferred" && state !== "parked") return seen(state);
  return dueInMs === undefined ? messages.deferred : messages.deferredFor(secondsOf(dueInMs));
}

function secondsOf(ms: number): string {
  return formatDuration(Math.round(ms / 1000) * 1000);
}

/** When that was; what is no time as it is. */
export function timeOf(timestamp: string): string {
  return /^\d{7,19}$/.test(timestamp)
    ? new Date(Number(timestamp.slice(0, -NS_DIGITS_OF_MS))).toISOString()
    : seen(timestamp);
}

function hexOf(bytes: Uint8Array): string {
  return bytes.toHex().replace(/..(?!$)/g, "$& ");
}

/** The text with names in place of what cannot be seen. */
function seen(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, "0")}`);
}
