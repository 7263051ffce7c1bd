/**
 * Who the users are that ask, where there is a file of them: by the session that a browser has logged in to, by a token, or by
 * name and password. It is found out once for a request, before anything is done for it.
 *
 * ```
 *  Authorization: Bearer <token>   ─▶ hash, looked up ─▶ throttle
 *  Authorization: Basic …          ─▶ throttle ─▶ a place among few ─▶ throttle ─▶ scrypt
 *  POST /login                     ─▶ the same ─▶ session
 *  Cookie                          ─▶ session
 * ```
 *
 * Names and passwords cost as much whether there is such a user or not.
 *
 * @module
 */

import { Budget } from "../../base/budget.ts";
import { fromNode } from "../../base/from_node.ts";
import { shortened } from "../../base/shortened.ts";
import type { Header } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import type { RequestContext } from "../../http/request_context.ts";
import { basicCredentials, type Identity, type Role } from "../access.ts";
import { addressKey } from "../subnet.ts";
import { decoyHash, isPassword, PASSWORD_LENGTH_MAX, type PasswordHash } from "./password.ts";
import { sessionCookie, sessionIdOf } from "./session_cookie.ts";
import { Sessions } from "./sessions.ts";
import { Throttle } from "./throttle.ts";
import { TokenThrottle } from "./token_throttle.ts";
import { fileState, type User, UserFile } from "./user_file.ts";

const nodeCrypto = fromNode("node:crypto");

/** Passwords that are checked at a time: each takes a thread and 16 MiB, or what the file says. */
export const CHECKS_MAX = 2;
/** Passwords that are checked, or wait for that. */
export const LOGINS_MAX = 40;
/** Of a name that nobody has, so much is told, in characters. */
export const UNKNOWN_NAME_LENGTH_MAX = 3;
/** Of a name, so much is counted by, in characters: nobody's is as long. */
const NAME_KEY_LENGTH_MAX = 65;

/** Tells a client how to say who it is. A browser does not ask anybody for `Bearer`. */
const CHALLENGE: Header = ["Www-Authenticate", "Bearer"];

/** Somebody whose name and password were right, or who has a session or a token. */
interface Holder extends Identity {
  /** Whether he could prove it again in the same way. */
  readonly isStill: () => boolean;
  readonly isOfSession: boolean;
}

/** The script says by it that it brings a page up to date. */
export const UPDATE_HEADER = "x-nsqadmin-update";

/** By what wrong passwords are counted. */
interface Who {
  readonly user: string;
  readonly address: string;
}

/** Whose password it was. */
interface Proven {
  readonly user: User;
  readonly passwordText: string;
}

/** What {@linkcode Logins} is made from. */
export interface LoginsOptions {
  readonly users: UserFile;
  /** From which they have been read. */
  readonly path: string;
  readonly clock: { monotonicMs(): number };
  /** How long a session lasts that nobody uses; 0 is no limit. */
  readonly sessionIdleMs: number;
  /** Of the cookie. */
  readonly basePath: string;
  /** Whether a request has come over HTTPS. */
  readonly isSecure: (request: RequestContext) => boolean;
  /** Is told when somebody may have lost what he had. */
  readonly onChange: () => void;
}

/** All users, and who has logged in. */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #sessions: Sessions;
  readonly #byUser = new Throttle();
  readonly #byAddress = new Throttle();
  readonly #ofTokens = new TokenThrottle();
  readonly #checks = new Budget(CHECKS_MAX);
  readonly #holders = new WeakMap<RequestContext, Holder>();
  readonly #decoy = decoyHash();
  readonly #decoyKey = crypto.getRandomValues(new Uint8Array(32));
  #users: UserFile;
  #fileState: string | undefined;
  /** Passwords that are checked, or wait for that. */
  #underWay = 0;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#users = options.users;
    this.#sessions = new Sessions(options.sessionIdleMs);
    this.#fileState = options.users.state;
  }

  /** Who has made the request, once that was found out. */
  identityOf(request: RequestContext): Identity | undefined {
    return this.#holders.get(request);
  }

  /** What a user is now, whether he has logged in or not; nothing if there is none of that name. */
  rolesOf(user: string): readonly Role[] {
    return this.#users.get(user)?.roles ?? [];
  }

  /** A name as others may see it: it could be a password in the wrong place. */
  shownName(name: string): string {
    if (this.#users.get(name) !== undefined || name.length <= UNKNOWN_NAME_LENGTH_MAX) return name;
    return `${shortened(name, UNKNOWN_NAME_LENGTH_MAX)}…`;
  }

  /** Whether it was found out by a session, which can be ended. */
  hasSession(request: RequestContext): boolean {
    return this.#holders.get(request)?.isOfSession ?? false;
  }

  /**
   * Finds out who makes the request.
   *
   * @throws {HttpError} 401 if nobody is said, or it is not proven; 429 after many wrong passwords or tokens; 503 if too many
   * are to be checked.
   */
  async identify(request: RequestContext): Promise<void> {
    const authorization = request.request.headers.get("authorization");
    const holder = authorization === undefined
      ? this.#holderOfSession(request)
      : await this.#holderOf(authorization, request);
    if (holder === undefined) throw unauthorized("UNAUTHORIZED");
    this.#holders.set(request, holder);
    request.client = holder.user;
  }

  /**
   * Logs somebody in; returns the headers by which the browser knows it.
   *
   * @throws {HttpError} As `identify()`.
   */
  async logIn(
    request: RequestContext,
    { name, password }: { readonly name: string; readonly password: string },
  ): Promise<Header[]> {
    const { passwordText } = await this.#prove(request, name, password);
    // What others may have put into the browser is of no use to them.
    this.#endSession(request);
    const id = this.#sessions.begin({ user: name, passwordText }, this.#nowMs());
    return [this.#cookie(request, id)];
  }

  /** Ends the session of a request; returns the headers by which the browser forgets it, and whose it was. */
  logOut(request: RequestContext): { readonly headers: Header[]; readonly user: string | undefined } {
    const user = this.#holderOfSession(request)?.user;
    this.#endSession(request);
    return { headers: [this.#cookie(request, "")], user };
  }

  /** Whether the file is another one than was last read, or looked at by this. */
  async hasFileChanged(): Promise<boolean> {
    const state = await fileState(this.#options.path);
    if (state === this.#fileState) return false;
    this.#fileState = state;
    return true;
  }

  /**
   * Reads the file again; what is returned makes its users those that count: sessions end whose user is gone or has another
   * password.
   *
   * @throws {OptionError} If it cannot be used.
   */
  prepare(): () => void {
    const { path, onChange } = this.#options;
    const users = UserFile.read(path);
    if (users === undefined) return () => {};
    return () => {
      this.#users = users;
      this.#fileState = users.state;
      this.#sessions.endUnless(({ user, passwordText }) => users.get(user)?.passwordText === passwordText);
      onChange();
    };
  }

  /** Whether who has made that request may still go on with it: for what takes long. */
  holds(request: RequestContext): boolean {
    const holder = this.#holders.get(request);
    if (holder === undefined || !holder.isStill()) return false;
    return this.#users.get(holder.user)?.roles.join() === holder.roles.join();
  }

  async #holderOf(authorization: string, request: RequestContext): Promise<Holder | undefined> {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token !== undefined) return this.#holderOfToken(token, request);
    const credentials = basicCredentials(authorization);
    if (credentials === undefined) throw unauthorized("INVALID_CREDENTIALS");
    request.client = this.shownName(credentials.name);
    const { user, passwordText } = await this.#prove(request, credentials.name, credentials.password);
    return holderOf(user, () => this.#users.get(user.name)?.passwordText === passwordText);
  }

  #holderOfToken(token: string, { remoteAddress }: RequestContext): Holder {
    const user = this.#users.holderOf(token);
    const [address, nowMs] = [addressKey(remoteAddress), this.#nowMs()];
    refuseBefore(this.#ofTokens.waitMs(address, user?.name, nowMs));
    this.#ofTokens.tried(address, user?.name, nowMs);
    if (user === undefined) throw unauthorized("INVALID_TOKEN");
    return holderOf(user, () => this.#users.holderOf(token)?.name === user.name);
  }

  #holderOfSession(request: RequestContext): Holder | undefined {
    const id = sessionIdOf(request);
    // That a page is open somewhere does not say that somebody is there.
    const session = this.#sessions[isByItself(request) ? "get" : "use"](id, this.#nowMs());
    const user = session && this.#users.get(session.user);
    const isStill = () => this.#sessions.get(id, this.#nowMs()) === session;
    return user && { ...holderOf(user, isStill), isOfSession: true };
  }

  /** The user, if that is his password. @throws {HttpError} */
  async #prove(request: RequestContext, name: string, password: string): Promise<Proven> {
    const who = { user: shortened(name, NAME_KEY_LENGTH_MAX), address: addressKey(request.remoteAddress) };
    this.#refuseHeldUp(who);
    if (this.#underWay >= LOGINS_MAX) throw refused(503, "TOO_MANY_LOGINS", 1);
    this.#underWay++;
    try {
      using _place = await this.#checks.take(1);
      // Others have tried in the meantime.
      this.#refuseHeldUp(who);
      const proven = await this.#check(name, password);
      this.#count(who, proven !== undefined);
      if (proven === undefined) throw unauthorized("INVALID_CREDENTIALS");
      return proven;
    } finally {
      this.#underWay--;
    }
  }

  #refuseHeldUp({ user, address }: Who): void {
    const nowMs = this.#nowMs();
    refuseBefore(Math.max(this.#byUser.waitMs(user, nowMs), this.#byAddress.waitMs(address, nowMs)));
  }

  #count({ user, address }: Who, isRight: boolean): void {
    if (isRight) {
      this.#byUser.succeeded(user);
      this.#byAddress.succeeded(address);
      return;
    }
    const nowMs = this.#nowMs();
    // Who guesses from one address does not keep the user out for ever.
    if (!this.#byAddress.holdsUp(address, nowMs)) this.#byUser.failed(user, nowMs);
    this.#byAddress.failed(address, nowMs);
  }

  async #check(name: string, password: string): Promise<Proven | undefined> {
    const before = this.#users.get(name);
    const isRight = await isPassword(
      password.slice(0, PASSWORD_LENGTH_MAX + 1),
      before?.password ?? this.#decoyFor(name),
    );
    // The file may have been read again.
    const user = this.#users.get(name);
    const passwordText = before?.passwordText;
    if (!isRight || user === undefined || passwordText === undefined) return undefined;
    return user.passwordText === passwordText ? { user, passwordText } : undefined;
  }

  /** What a name without a password is held against: of the same cost as some user's, and always that of the same user. */
  #decoyFor(name: string): PasswordHash {
    const number = nodeCrypto().createHmac("sha256", this.#decoyKey).update(name).digest().readUInt32LE();
    const { ln, p } = this.#users.somePassword(number) ?? this.#decoy;
    return { ...this.#decoy, ln, p };
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #endSession(request: RequestContext): void {
    this.#sessions.end(sessionIdOf(request));
    this.#options.onChange();
  }

  #cookie(request: RequestContext, id: string): Header {
    const { basePath, isSecure } = this.#options;
    return sessionCookie(request, id, { basePath, isSecure: isSecure(request) });
  }
}

/** A page has made the request, to stay up to date, and nobody who does something (console/browser/console.ts). */
function isByItself({ request: { headers } }: RequestContext): boolean {
  return headers.get(UPDATE_HEADER) !== undefined || headers.get("accept") === "text/event-stream";
}

function holderOf({ name, roles }: User, isStill: () => boolean): Holder {
  return { user: name, roles, isStill, isOfSession: false };
}

function unauthorized(text: string): HttpError {
  return new HttpError(401, text, { headers: [CHALLENGE] });
}

/** Refuses who must wait. @throws {HttpError} 429 */
function refuseBefore(waitMs: number): void {
  if (waitMs > 0) throw refused(429, "TOO_MANY_WRONG_LOGINS", Math.ceil(waitMs / 1000));
}

function refused(status: number, text: string, afterS: number): HttpError {
  return new HttpError(status, text, { headers: [["Retry-After", String(afterS)]] });
}
