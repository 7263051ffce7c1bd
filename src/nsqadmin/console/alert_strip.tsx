/**
 * The alerts that fire, at the top of pages that stay up to date. It is there also when there are none: what comes into it
 * is read aloud. So nothing is in it that changes from round to round.
 *
 * @module
 */

import type { Alert, AlertSubject } from "../alerts/found.ts";
import { subjectText } from "../alerts/alerts.ts";
import type { Markup } from "./markup.ts";
import { Time } from "./parts.tsx";
import type { PageRequest } from "./request.ts";

const SHOWN_MAX = 5;

/** See above. */
export function AlertStrip({ request }: { readonly request: PageRequest }): Markup {
  const { alerts, common } = request.texts;
  const { firing } = request.admin.alerts;
  const others = firing.length - SHOWN_MAX;
  return (
    <div class={firing.length > 0 ? "alerts warning" : "alerts"} role="status">
      {firing.length > 0 && (
        <>
          <p>
            <a href={request.paths.alerts}>{alerts.strip(firing.length)}</a>
          </p>
          <ul>
            {firing.slice(0, SHOWN_MAX).map((alert) => (
              <li>
                {alerts.since(
                  <AlertSubjectLink request={request} of={alert} />,
                  alert.rule.text,
                  <Time atMs={alert.since.wallMs} />,
                )}
              </li>
            ))}
            {others > 0 && <li>{common.more(others)}</li>}
          </ul>
        </>
      )}
    </div>
  );
}

/** What an alert is about, with a link to it. */
export function AlertSubjectLink(
  { request, of }: { readonly request: PageRequest; readonly of: Alert },
): Markup {
  const path = pathOf(request, of.subject);
  const text = subjectText(of, request.texts.alerts.words);
  return <>{path === undefined ? text : <a href={path}>{text}</a>}</>;
}

function pathOf({ paths, admin }: PageRequest, { topic, channel, node }: AlertSubject): string | undefined {
  if (topic !== undefined) return channel === undefined ? paths.topic(topic) : paths.channel(topic, channel);
  return node !== undefined && admin.poller.node(node) !== undefined ? paths.node(node) : undefined;
}
