/**
 * `/login` and `/logout`, where there is a file of users: what a browser gets for a name and a password is a session, of which a
 * cookie has the id.
 *
 * @module
 */

import type { Header } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import type { Logins } from "../login/logins.ts";
import { type FormAnswer, formText } from "./change_pages.tsx";
import { Layout } from "./layout.tsx";
import type { Markup } from "./markup.ts";
import { type PageRequest, type Paths, queryOf } from "./request.ts";

/** The longest path that somebody is sent back to, in characters. */
export const NEXT_LENGTH_MAX = 2048;

/** The login page, from which somebody goes on to where the request was for. */
export function loginPath(paths: Paths, { method, rawPath, target }: RequestContext): string {
  const next = method === "GET" ? target : rawPath;
  return next === paths.overview || localPath(next) === undefined
    ? paths.login
    : `${paths.login}?next=${encodeURIComponent(next)}`;
}

/** The path, if it leads nowhere but to this server: not `//host`, nor what a browser makes that of. */
function localPath(text: string | undefined): string | undefined {
  if (text === undefined || text.length > NEXT_LENGTH_MAX) return undefined;
  return /^\/(?!\/)[!-[\]-~]*$/.test(text) ? text : undefined;
}

/** `GET /login` */
export function loginPage(request: PageRequest): Promise<Markup> {
  return Promise.resolve(<LoginPage request={request} next={localPath(request.query.get("next"))} />);
}

/** `POST /login` */
export async function submitLogin(request: PageRequest, logins: Logins): Promise<FormAnswer> {
  const { admin, context, paths } = request;
  admin.activity.tried(context, { action: "log in" });
  const form = queryOf(await formText(context, { sizeMax: LOGIN_FORM_SIZE_MAX, isSecret: true }));
  // Phones put a space behind what they have completed.
  const [name, password] = [(form.get("user") ?? "").trim(), form.get("password") ?? ""];
  const next = localPath(form.get("next"));
  context.client = logins.shownName(name);
  try {
    const headers = await logins.logIn(context, { name, password });
    return { location: next ?? paths.overview, headers };
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    const { status, headers } = error;
    return { status, headers, page: <LoginPage request={request} next={next} problem={error} name={name} /> };
  }
}

/** `POST /logout` */
export function submitLogout(
  { admin, context, paths }: PageRequest,
  logins: Logins,
): { readonly location: string; readonly headers: readonly Header[] } {
  const { headers, user } = logins.logOut(context);
  context.client = user;
  if (user !== undefined) admin.activity.tried(context, { action: "log out" });
  return { location: paths.login, headers };
}

/** The largest form, in bytes. */
export const LOGIN_FORM_SIZE_MAX = 16 * 1024;

function LoginPage(
  { request, next, problem, name }: {
    readonly request: PageRequest;
    readonly next: string | undefined;
    readonly problem?: HttpError;
    readonly name?: string;
  },
): Markup {
  const { login } = request.texts;
  const problems: Readonly<Record<string, string>> = login.problems;
  return (
    <Layout request={request} title={login.title}>
      <h1>{login.title}</h1>
      {problem !== undefined && (
        <p id="problem" class="warning" role="alert">{problems[problem.message] ?? problem.message}</p>
      )}
      <form method="post" action={request.paths.login} class="login">
        {next !== undefined && <input type="hidden" name="next" value={next} />}
        <label>
          {login.user}{" "}
          <input
            name="user"
            value={name}
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            required
            aria-describedby={problem && "problem"}
          />
        </label>
        <label>
          {login.password}{" "}
          <input
            type="password"
            name="password"
            autocomplete="current-password"
            required
            aria-describedby={problem && "problem"}
          />
        </label>
        <button type="submit">{login.button}</button>
      </form>
    </Layout>
  );
}
