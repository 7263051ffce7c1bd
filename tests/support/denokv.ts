/**
 * A `denokv` server of one's own: what self-hosted instances share. It is looked for on PATH, or where `DENOSQ_DENOKV` says;
 * `cargo install denokv --locked` builds one.
 *
 * @module
 */
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

/** A token as the server wants it: 12 characters at least. */
export const DENOKV_TOKEN = "only-for-tests-0001";

/** Where the program is; undefined where there is none. */
export function denokvPath(): string | undefined {
  const given = Deno.env.get("DENOSQ_DENOKV");
  if (given) return given;
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.map((folder) => `${folder}/denokv`).find(isFile);
}

/** A running server. */
export class DenokvServer implements AsyncDisposable {
  /** What `--store=` is to be. */
  readonly store: string;
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(child: Deno.ChildProcess, { url, folder }: { url: string; folder: string }) {
    this.#child = child;
    this.#folder = folder;
    this.url = url;
    this.store = `kv:${url}`;
  }

  /** Starts one on a port that is free. */
  static async start(program: string): Promise<DenokvServer> {
    const folder = await Deno.makeTempDir({ prefix: "denosq_denokv_" });
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = new Deno.Command(program, {
      args: [
        "--sqlite-path",
        `${folder}/kv.sqlite`,
        "serve",
        "--addr",
        `127.0.0.1:${port}`,
        "--access-token",
        DENOKV_TOKEN,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const server = new DenokvServer(child, { url, folder });
    try {
      await eventually("denokv answers", () => answers(url));
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Stops it for a while: it neither answers nor refuses. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return true;
  } catch (error) {
    // It does not listen yet.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
