/**
 * Writes docs/configuration.md out of the programs' tables of options, and the reference of the HTTP API: `deno task docs`. A
 * test compares the pages with what this would write.
 *
 * @module
 */
import { markdownTable } from "../config/help.ts";
import type { OptionTable } from "../config/option.ts";
import { EXPORT_NSQ_OPTIONS } from "../nsqd/export_nsq.ts";
import { NSQADMIN_OPTIONS } from "../nsqadmin/options.ts";
import { NSQD_OPTIONS } from "../nsqd/options.ts";
import { NSQLOOKUPD_OPTIONS } from "../nsqlookupd/options.ts";
import { BENCH_OPTIONS } from "../tools/bench_options.ts";
import { NSQ_STAT_OPTIONS } from "../tools/nsq_stat_options.ts";
import { NSQ_TAIL_OPTIONS } from "../tools/nsq_tail_options.ts";
import { NSQ_TO_FILE_OPTIONS } from "../tools/nsq_to_file_options.ts";
import { NSQ_TO_HTTP_OPTIONS } from "../tools/nsq_to_http_options.ts";
import { NSQ_TO_NSQ_OPTIONS } from "../tools/nsq_to_nsq_options.ts";
import { TO_NSQ_OPTIONS } from "../tools/to_nsq_options.ts";
import { API_PAGE, apiPage, OPENAPI_PAGE, openApiPage } from "./api_pages.ts";

/** The page in the project's tree. */
export const DOCS_PAGE = new URL("../../docs/configuration.md", import.meta.url);

/** What the page should hold. */
export function docsPage(): string {
  return `${INTRODUCTION}

## nsqd

${markdownTable(NSQD_OPTIONS)}

## nsqlookupd

${markdownTable(NSQLOOKUPD_OPTIONS)}

## nsqadmin

${markdownTable(NSQADMIN_OPTIONS)}

## export-nsq

${markdownTable(EXPORT_NSQ_OPTIONS)}

## Tools

Tools have no configuration file. A flag that is unknown, or a bad value, ends them with exit code 2. What they are
for: [tools.md](tools.md).

${TOOLS.map(([name, table]) => `### ${name}\n\n${markdownTable(table)}\n`).join("\n")}`;
}

/** The tables of the tools, in the order of docs/tools.md. */
const TOOLS: readonly (readonly [name: string, table: OptionTable])[] = [
  ["nsq_tail", NSQ_TAIL_OPTIONS],
  ["to_nsq", TO_NSQ_OPTIONS],
  ["nsq_stat", NSQ_STAT_OPTIONS],
  ["bench", BENCH_OPTIONS],
  ["nsq_to_file", NSQ_TO_FILE_OPTIONS],
  ["nsq_to_nsq", NSQ_TO_NSQ_OPTIONS],
  ["nsq_to_http", NSQ_TO_HTTP_OPTIONS],
];

const INTRODUCTION = `# Configuration

<!-- Written by \`deno task docs\` from the tables of options. Do not edit. -->

An option is set by a flag, or by a key of the TOML file that \`--config\` names, or has its default; a flag wins
over the file. Flags may have one dash or two, and their value behind \`=\` or as the next argument; a bool needs
none to be true, and takes one behind \`=\` only. A flag for a list may be repeated; of another flag given twice,
the last counts. Flags end at the first argument that is none: what stands behind it is ignored, with a warning.

- A **duration** is a number with a unit, or several: \`250ms\`, \`1m30s\`, \`1.5h\`; units are \`ns\`, \`us\`, \`ms\`,
  \`s\`, \`m\` and \`h\`. In the file a bare number is a duration in milliseconds.
- A **list** is a list of the file too, or one string with commas in it.
- An unknown flag, a bad value, or a file that cannot be read ends the program with exit code 1 and one line that
  says which. An unknown key of the file is ignored, with a warning in the log.`;

if (import.meta.main) {
  Deno.writeTextFileSync(DOCS_PAGE, docsPage());
  Deno.writeTextFileSync(API_PAGE, apiPage(Deno.readTextFileSync(API_PAGE)));
  Deno.writeTextFileSync(OPENAPI_PAGE, openApiPage());
}
