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

/** What the protocol answers or tells. */
interface Told {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A running browser. */
export class Chromium implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #folder: TempFolder;
  readonly #socket: WebSocket;
  readonly #log: Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>();
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
    const socket = new WebSocket(await address.promise);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new Chromium({ process, folder, socket, log });
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

  /** Has something done. */
  send(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params, ...sessionId !== undefined && { sessionId } }));
    return waiting.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    // Not by a signal: its own children would go on, and hold the log.
    await this.send("Browser.close");
    this.#socket.close();
    await Promise.all([this.#process.status, closed, this.#log]);
    await this.#folder[Symbol.asyncDispose]();
  }

  #told(told: Told): void {
    const { id, sessionId, error, result } = told;
    if (id === undefined) return this.#tabs.get(sessionId ?? "")?.(told);
    if (error === undefined) this.#waiting.get(id)?.resolve(result ?? {});
    else this.#waiting.get(id)?.reject(new Error(error.message));
    this.#waiting.delete(id);
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
const LEFT = /navigated|context was destroyed/;
/** How long a page may take, on a machine that does other things, too. */
const LOAD_TIMEOUT_MS = 20_000;

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
  #loaded = Promise.withResolvers<void>();

  constructor(send: Chromium["send"], setWindow: (state: "normal" | "minimized") => Promise<unknown>) {
    this.#send = send;
    this.#setWindow = setWindow;
  }

  /** Has its events told. */
  async begin(): Promise<void> {
    for (const domain of ["Page", "Runtime", "Log"]) await this.#send(`${domain}.enable`);
  }

  /** Goes to a page, and waits until it is loaded. */
  async open(url: string): Promise<void> {
    await this.leave(() => this.#send("Page.navigate", { url }));
  }

  /** Does what leads to another page, and waits until that is loaded. */
  async leave(go: () => Promise<unknown>): Promise<void> {
    const loaded = this.#loaded = Promise.withResolvers();
    const late = setTimeout(() => loaded.reject(new Error("No page was loaded")), LOAD_TIMEOUT_MS);
    try {
      await go();
      await loaded.promise;
    } finally {
      clearTimeout(late);
    }
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

  /** What an expression is in the page, as JSON. @throws {AssertionError} If the page is left meanwhile. */
  async evaluate(expression: string): Promise<unknown> {
    const asked = { expression, returnByValue: true, awaitPromise: true };
    const answer = await this.#send("Runtime.evaluate", asked).catch((cause) => {
      throw LEFT.test(cause.message) ? new AssertionError(cause.message, { cause }) : cause;
    });
    if (answer.exceptionDetails !== undefined) throw new Error(JSON.stringify(answer.exceptionDetails));
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
    if (method === "Page.loadEventFired") this.#loaded.resolve();
    else if (method === "Runtime.exceptionThrown") this.errors.push(JSON.stringify(params));
    else if (method === "Log.entryAdded") {
      const { level, text, url } = params.entry as Readonly<Record<string, string>>;
      if (level === "error") this.errors.push(`${text} ${url ?? ""}`);
    }
  }
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
