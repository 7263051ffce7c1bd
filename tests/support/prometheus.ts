/**
 * A real Prometheus, with a configuration of its own, for the tests of what it makes of `/metrics`.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { fileURLToPath } from "node:url";
import { ChildDaemon } from "./child_daemon.ts";
import { eventually } from "./eventually.ts";
import { MissingError, runProgram, TempFolder } from "./interop.ts";
import { freePort } from "./ports.ts";

/** What it scrapes: `host:port` by job, and with which parameters. */
export interface ScrapeJob {
  readonly job: string;
  readonly address: string;
  readonly params?: Readonly<Record<string, readonly string[]>>;
}

/** A series of an answer. */
export interface PrometheusSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [timeS: number, value: string];
}

/** What a rule has come to. */
export interface PrometheusRule {
  readonly name: string;
  /** "ok", "err", or "unknown" before it was evaluated. */
  readonly health: string;
  readonly lastError?: string;
  readonly state: string;
}

/** The alert rules that are shipped. */
export const ALERTS_FILE = fileURLToPath(new URL("../../contrib/prometheus/alerts.yml", import.meta.url));

const START_TIMEOUT_MS = 30_000;

/** Checks that the programs are there; nothing of them is disposed of. */
export async function findPrometheus(): Promise<AsyncDisposable> {
  try {
    for (const program of ["prometheus", "promtool"]) await runProgram(program, { args: ["--version"] });
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    throw new MissingError("prometheus and promtool (Debian's package prometheus)", { cause: error });
  }
  return { [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** What `promtool check metrics` says of a text, and its exit code: 1 for what is none, 3 for names and types. */
export async function checkMetrics(text: string): Promise<{ code: number; complaints: string[] }> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, complaints: said.split("\n").filter((line) => line !== "") };
}

/** A running Prometheus. */
export class Prometheus implements AsyncDisposable {
  readonly #daemon: ChildDaemon;
  readonly #folder: TempFolder;
  #url = "";

  private constructor(daemon: ChildDaemon, folder: TempFolder) {
    this.#daemon = daemon;
    this.#folder = folder;
  }

  /** Starts one that scrapes these every second, and evaluates the alert rules as often. */
  static async start(jobs: readonly ScrapeJob[]): Promise<Prometheus> {
    const folder = await TempFolder.make();
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: [ALERTS_FILE],
      scrape_configs: jobs.map(({ job, address, params }) => ({
        job_name: job,
        static_configs: [{ targets: [address] }],
        ...params && { params },
      })),
    };
    // JSON is YAML.
    await Deno.writeTextFile(`${folder.path}/prometheus.yml`, JSON.stringify(config));
    const port = freePort();
    const daemon = new ChildDaemon([
      "prometheus",
      `--config.file=${folder.path}/prometheus.yml`,
      `--storage.tsdb.path=${folder.path}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const prometheus = new Prometheus(daemon, folder);
    prometheus.#url = `http://127.0.0.1:${port}`;
    try {
      await eventually("Prometheus is ready", () => prometheus.#isReady(), { timeoutMs: START_TIMEOUT_MS });
      return prometheus;
    } catch (error) {
      await prometheus[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The series of a query now. @throws {AssertionError} If it cannot be evaluated. */
  async query(query: string): Promise<readonly PrometheusSeries[]> {
    const response = await fetch(`${this.#url}/api/v1/query?${new URLSearchParams({ query })}`);
    const { status, error, data } = await response.json();
    if (status !== "success") throw new AssertionError(`${query}: ${error}`);
    return data.result;
  }

  /** What the rules have come to. */
  async rules(): Promise<readonly PrometheusRule[]> {
    const { data } = await (await fetch(`${this.#url}/api/v1/rules`)).json();
    return data.groups.flatMap(({ rules }: { rules: PrometheusRule[] }) => rules);
  }

  /** Why a target could not be scraped the last time, by job; empty where it could. */
  async scrapeErrors(): Promise<Readonly<Record<string, string>>> {
    const { data } = await (await fetch(`${this.#url}/api/v1/targets`)).json();
    const targets: { labels: { job: string }; lastError: string; health: string }[] = data.activeTargets;
    return Object.fromEntries(
      targets.map((
        { labels, lastError, health },
      ) => [labels.job, health === "up" ? "" : lastError || health]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  async #isReady(): Promise<boolean> {
    try {
      const response = await fetch(`${this.#url}/-/ready`);
      await response.body?.cancel();
      return response.ok;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }
}
