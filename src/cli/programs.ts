/**
 * The programs in this executable. A program's modules are loaded only when it is the one to run.
 *
 * @module
 */

/** One program of NSQ. */
export interface Program {
  /** Its name as NSQ has it, which is also the name of a link to it. */
  readonly name: string;
  /** What it is, in half a line. */
  readonly summary: string;
  /** Runs it to its end; the result is the exit code. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** All programs there are. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "nsqd",
    summary: "the daemon that receives, queues and delivers messages",
    run: async (args) => (await import("../nsqd/main.ts")).runNsqd(args),
  },
  {
    name: "nsqlookupd",
    summary: "the daemon that tells consumers where the producers of a topic are",
    run: async (args) => (await import("../nsqlookupd/main.ts")).runNsqlookupd(args),
  },
  {
    name: "nsqadmin",
    summary: "the console, and the API, that show and administer a whole cluster",
    run: async (args) => (await import("../nsqadmin/main.ts")).runNsqadmin(args),
  },
  {
    name: "nsq_tail",
    summary: "shows the messages of topics as they come",
    run: async (args) => (await import("../tools/nsq_tail.ts")).runNsqTail(args),
  },
  {
    name: "to_nsq",
    summary: "publishes what comes on standard input",
    run: async (args) => (await import("../tools/to_nsq.ts")).runToNsq(args),
  },
  {
    name: "nsq_stat",
    summary: "reports how channels stand, again and again",
    run: async (args) => (await import("../tools/nsq_stat.ts")).runNsqStat(args),
  },
  {
    name: "bench",
    summary: "measures how fast an nsqd takes and delivers messages",
    run: async (args) => (await import("../tools/bench.ts")).runBench(args),
  },
  {
    name: "nsq_to_file",
    summary: "writes the messages of topics to files",
    run: async (args) => (await import("../tools/nsq_to_file.ts")).runNsqToFile(args),
  },
  {
    name: "nsq_to_nsq",
    summary: "publishes the messages of topics to other nsqds",
    run: async (args) => (await import("../tools/nsq_to_nsq.ts")).runNsqToNsq(args),
  },
  {
    name: "nsq_to_http",
    summary: "sends the messages of a topic as requests of HTTP",
    run: async (args) => (await import("../tools/nsq_to_http.ts")).runNsqToHttp(args),
  },
  {
    name: "export-nsq",
    summary: "writes the data path of a stopped nsqd in the form of NSQ's own",
    run: async (args) => (await import("./export_nsq.ts")).runExportNsq(args),
  },
  {
    name: "hash-password",
    summary: "makes of a password what nsqadmin's --user-file holds of it",
    run: async (args) => (await import("./hash_password.ts")).runHashPassword(args),
  },
];
