/**
 * Drives Chromium over its DevTools protocol, as far as tests of pages need it, without a library.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { MissingError, TempFolder } from "./interop.ts";

/** As Debian's packages have it. */
const PROGRAMS = ["chromium-headless-shell", "chromium"];
const LISTENING = /DevTools listening on (ws:\S+)/;
/** How long it may take to start, to answer or to load a page, on a machine that does other things, too: these bound a hang. */
const START_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 120_000;
const LOAD_TIMEOUT_MS = 60_000;
/** How long it may take to end. */
const END_TIMEOUT_MS = 60_000;

/** What the protocol answers or tells. */
interface Told {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** Somebody who waits for an answer. */
interface Waiting extends PromiseWithResolvers<Readonly<Record<string, unknown>>> {
  readonly sessionId: string | undefined;
}

/** A running browser. */
export class Chromium implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #folder: TempFolder;
  readonly #socket: WebSocket;
  readonly #log: Promise<void>;
  readonly #closed = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #tabs = new Map<string, (told: Told) => void>();
  #lastId = 0;

  private constructor(
    { process, folder, socket, log }: {
      readonly process: Deno.ChildProcess;
      readonly folder: TempFolder;
      readonly socket: WebSocket;
      readonly log: Promise<void>;
    },
  ) {
    this.#process = process;
    this.#folder = folder;
    this.#socket = socket;
    this.#log = log;
    socket.onmessage = ({ data }) => this.#told(JSON.parse(data));
    socket.onclose = () => {
      this.#fail("Chromium has ended");
      this.#closed.resolve();
    };
  }

  /** Starts one. @throws {MissingError} If there is none. */
  static async start(): Promise<Chromium> {
    const program = await programThere();
    const folder = await TempFolder.make();
    const process = new Deno.Command(program, {
      args: [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        ...[`--user-data-dir=${folder.path}/profile`, "--remote-debugging-port=0", "about:blank"],
      ],
      env: { HOME: folder.path },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const address = Promise.withResolvers<string>();
    const log = readLog(process.stderr, address);
    const late = setTimeout(() => address.reject(new Error("Chromium does not start")), START_TIMEOUT_MS);
    try {
      return new Chromium({ process, folder, socket: await connected(await address.promise), log });
    } finally {
      clearTimeout(late);
    }
  }

  /** A new tab. */
  async tab(): Promise<ChromiumTab> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const { windowId } = await this.send("Browser.getWindowForTarget", { targetId });
    const tab = new ChromiumTab(
      (method, params) => this.send(method, params, String(sessionId)),
      (windowState) => this.send("Browser.setWindowBounds", { windowId, bounds: { windowState } }),
    );
    this.#tabs.set(String(sessionId), ({ method, params }) => tab.told(method ?? "", params ?? {}));
    await tab.begin();
    return tab;
  }

  /** Has something done. @throws {Error} If that cannot be, or the browser or its page ends or says nothing. */
  async send(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("Chromium has ended");
    const id = ++this.#lastId;
    const waiting = { ...Promise.withResolvers<Readonly<Record<string, unknown>>>(), sessionId };
    this.#waiting.set(id, waiting);
    const late = setTimeout(
      () => waiting.reject(new Error(`Chromium does not answer ${method}`)),
      ANSWER_TIMEOUT_MS,
    );
    try {
      this.#socket.send(JSON.stringify({ id, method, params, ...sessionId !== undefined && { sessionId } }));
      return await waiting.promise;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not by a signal: what is started may be a script, and what it has started would go on. It may end before it has answered.
    await Promise.allSettled([this.send("Browser.close")]);
    this.#socket.close();
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const late = setTimeout(() => reject(new Error("Chromium does not end")), END_TIMEOUT_MS);
    const ended = Promise.all([this.#process.status, this.#closed.promise, this.#log]);
    await Promise.race([ended, tooLate]).finally(() => clearTimeout(late));
    await this.#folder[Symbol.asyncDispose]();
  }

  #told(told: Told): void {
    const { id, method, sessionId, error, result } = told;
    if (method === "Inspector.targetCrashed") return this.#fail("The page has crashed", sessionId);
    if (id === undefined) return this.#tabs.get(sessionId ?? "")?.(told);
    if (error === undefined) this.#waiting.get(id)?.resolve(result ?? {});
    else this.#waiting.get(id)?.reject(new Error(error.message));
  }

  /** Nobody is answered any more: of a session, or at all. */
  #fail(reason: string, ofSession?: string): void {
    for (const { sessionId, reject } of this.#waiting.values()) {
      if (ofSession === undefined || sessionId === ofSession) reject(new Error(reason));
    }
  }
}

/** Codes of keys, and what the browser makes of them. */
const KEYS = {
  Tab: [9, ""],
  Enter: [13, "\r"],
  Escape: [27, ""],
  ArrowUp: [38, ""],
  ArrowDown: [40, ""],
  " ": [32, " "],
  k: [75, ""],
} as const;
const CTRL = 2;
/** What is said where a page has given way to another. */
const LEFT = /navigated|context was destroyed|Cannot find .*context|Promise was collected/;

/** A key that can be hit. */
export type Key = keyof typeof KEYS;

/** A tab. */
export class ChromiumTab {
  /** What went wrong in its pages: errors, refusals by their policy, files that are not there. */
  readonly errors: string[] = [];
  readonly #send: (
    method: string,
    params?: Readonly<Record<string, unknown>>,
  ) => Promise<Readonly<Record<string, unknown>>>;
  readonly #setWindow: (state: "normal" | "minimized") => Promise<unknown>;
  /** The document that is there, and the last that has been loaded as a whole. */
  #document = "";
  #loadedDocument = "";
  #noteLoad = () => {};

  constructor(send: Chromium["send"], setWindow: (state: "normal" | "minimized") => Promise<unknown>) {
    this.#send = send;
    this.#setWindow = setWindow;
  }

  /** Has its events told. */
  async begin(): Promise<void> {
    for (const domain of ["Page", "Runtime", "Log"]) await this.#send(`${domain}.enable`);
    await this.#send("Page.setLifecycleEventsEnabled", { enabled: true });
  }

  /** Goes to a page, and waits until it is loaded. */
  async open(url: string): Promise<void> {
    const { loaderId, errorText } = await this.#send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await this.#loaded(() => this.#loadedDocument === loaderId);
  }

  /** Does what leads to another page, and waits until that is loaded: the one that is there may still be loading. */
  async leave(go: () => Promise<unknown>): Promise<void> {
    const left = this.#document;
    await go();
    await this.#loaded(() => this.#document !== left && this.#loadedDocument === this.#document);
  }

  /** Whether its pages run scripts; what a test evaluates is run all the same. */
  async useScripts(value: boolean): Promise<void> {
    await this.#send("Emulation.setScriptExecutionDisabled", { value: !value });
  }

  /** How large the window is, and which colours its user likes. */
  async look(
    { width, height = 900, scheme }: {
      readonly width: number;
      readonly height?: number;
      readonly scheme: "light" | "dark";
    },
  ): Promise<void> {
    await this.#send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: false },
    });
    await this.#send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  /** Whether anything of it is to be seen. */
  async show(isVisible: boolean): Promise<void> {
    await this.#setWindow(isVisible ? "normal" : "minimized");
  }

  /** What an expression is in the page, as JSON. @throws {AssertionError} If the page is left meanwhile, or is not like that. */
  async evaluate(expression: string): Promise<unknown> {
    const asked = { expression, returnByValue: true, awaitPromise: true };
    const answer = await this.#send("Runtime.evaluate", asked).catch((cause) => {
      throw LEFT.test(cause.message) ? new AssertionError(cause.message, { cause }) : cause;
    });
    if (answer.exceptionDetails !== undefined) {
      throw new AssertionError(`${expression}: ${JSON.stringify(answer.exceptionDetails)}`);
    }
    return (answer.result as { readonly value?: unknown }).value;
  }

  /** Presses a key that writes a character. */
  async press(text: string): Promise<void> {
    await this.#send("Input.dispatchKeyEvent", { type: "keyDown", key: text, text });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", key: text });
  }

  /** Presses a key that writes nothing, or one with Ctrl. */
  async hit(key: Key, { isCtrl = false }: { readonly isCtrl?: boolean } = {}): Promise<void> {
    const [windowsVirtualKeyCode, text] = KEYS[key];
    const event = { key, code: key, windowsVirtualKeyCode, modifiers: isCtrl ? CTRL : 0 };
    await this.#send("Input.dispatchKeyEvent", { ...event, type: text ? "keyDown" : "rawKeyDown", text });
    await this.#send("Input.dispatchKeyEvent", { ...event, type: "keyUp" });
  }

  /** Writes a text where the focus is. */
  async write(text: string): Promise<void> {
    await this.#send("Input.insertText", { text });
  }

  /** Shows no bars beside what can be scrolled. */
  async hideScrollbars(): Promise<void> {
    await this.#send("Emulation.setScrollbarsHidden", { hidden: true });
  }

  /** The page's picture, as PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(String(data));
  }

  /** An event; the browser calls this. */
  told(method: string, params: Readonly<Record<string, unknown>>): void {
    if (method === "Page.lifecycleEvent") {
      const { name, loaderId } = params as Readonly<Record<string, string>>;
      if (name === "init") this.#document = loaderId;
      if (name === "load") this.#loadedDocument = loaderId;
      this.#noteLoad();
    } else if (method === "Runtime.exceptionThrown") this.errors.push(JSON.stringify(params));
    else if (method === "Log.entryAdded") {
      const { level, text, url } = params.entry as Readonly<Record<string, string>>;
      if (level === "error") this.errors.push(`${text} ${url ?? ""}`);
    }
  }

  /** Waits until that is so, which the loading of a page changes. */
  async #loaded(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    const loaded = Promise.withResolvers<void>();
    const late = setTimeout(() => loaded.reject(new Error("No page was loaded")), LOAD_TIMEOUT_MS);
    this.#noteLoad = () => isSo() && loaded.resolve();
    try {
      await loaded.promise;
    } finally {
      clearTimeout(late);
    }
  }
}

async function connected(address: string): Promise<WebSocket> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("Chromium cannot be connected to"));
  });
  return socket;
}

async function programThere(): Promise<string> {
  for (const program of PROGRAMS) {
    try {
      await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output();
      return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new MissingError(PROGRAMS.join(" or "));
}

async function readLog(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  address: PromiseWithResolvers<string>,
): Promise<void> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const found = LISTENING.exec(text);
    if (found !== null) address.resolve(found[1]);
  }
  address.reject(new Error(`Chromium has ended:\n${text}`));
}
