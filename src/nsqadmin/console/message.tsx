/**
 * One message of a channel on a node, as far as it can be shown, at an address of its own; it can be changed and published again.
 *
 * @module
 */

import { httpAddressOf } from "../../cluster/cluster_nodes.ts";
import { lookAtMessage, type SeenMessage, WHOLE_BODY_SIZE } from "../../cluster/messages.ts";
import { requireRight } from "../access.ts";
import { Asking } from "./asking.ts";
import { whole } from "./figures.ts";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { Body, MessageButtons, stateOf, timeOf } from "./messages.tsx";
import { messagesView } from "./messages_view.ts";
import { Facts, Failures } from "./parts.tsx";
import { PublishForm } from "./publish_form.tsx";
import { type PageRequest, queryWith } from "./request.ts";

/** `GET /topics/:topic/:channel/messages/:id` */
export async function messagePage(request: PageRequest): Promise<Markup> {
  const { admin, context, paths, texts, texts: { common } } = request;
  requireRight(admin, context, "peek");
  const { topic, channel, id } = context.params;
  const view = messagesView(request.query);
  const { node } = view;
  const asking = new Asking();
  const addresses = (await asking.ask(admin.views.topicNodes(topic), [])).map(httpAddressOf).sort();
  const looking = new Asking();
  const isKnown = addresses.includes(node);
  const target = { topic, channel, node, id };
  const message = isKnown ? await looking.ask(lookAtMessage(admin.cluster, target), undefined) : undefined;
  return (
    <Layout request={request} title={texts.message.title(id)}>
      <p>
        {common.topicLink(<a href={paths.topic(topic)}>{topic}</a>)} ·{" "}
        {common.channelLink(<a href={paths.channel(topic, channel)}>{channel}</a>)} ·{" "}
        <a href={paths.messages(topic, channel) + queryWith(new Map(), { node })}>{common.messages}</a>
      </p>
      <h1>{texts.message.title(id)}</h1>
      <Failures request={request} of={asking.failures} shown={texts.message.notAsked} />
      {message === undefined
        ? (
          <p class="warning" role="alert">
            {texts.message.notShown(
              <code>{node}</code>,
              isKnown ? looking.failures[0]?.reason : texts.messages.noSuchNode,
            )}
          </p>
        )
        : (
          <>
            <Message request={request} message={message} />
            <div class="actions" role="group" aria-label={texts.actions.title}>
              <MessageButtons request={request} view={view} message={message} />
            </div>
            {message.text !== undefined && !message.isCut && (
              <PublishForm
                request={request}
                topic={topic}
                title={texts.message.publishAgain}
                nodes={[node, ...addresses.filter((each) => each !== node)]}
                body={message.text}
              />
            )}
          </>
        )}
    </Layout>
  );
}

function Message(
  { request, message }: { readonly request: PageRequest; readonly message: SeenMessage },
): Markup {
  const { texts, texts: { message: { bodyAs, bodies }, columns } } = request;
  const { as } = messagesView(request.query);
  const facts: readonly (readonly [name: string, value: string])[] = [
    [columns.state, stateOf(texts, message)],
    [columns.attempts, whole(message.attempts)],
    [columns.published, timeOf(message.timestamp)],
    [columns.bytes, whole(message.sizeBytes)],
  ];
  return (
    <>
      <Facts of={facts} />
      <nav class="actions" aria-label={bodyAs}>
        {[["", bodies.text], ["json", bodies.json], ["hex", bodies.hex]].map(([form, text]) => (
          <a
            href={queryWith(request.query, { as: form, done: "" })}
            aria-current={form === as ? "true" : undefined}
          >
            {text}
          </a>
        ))}
      </nav>
      <p>
        <Body request={request} of={message} as={as} sizeMax={WHOLE_BODY_SIZE} />
      </p>
    </>
  );
}
