/**
 * What `--help` prints and what the docs page says of a table of options.
 *
 * @module
 */
import { defaultOf, keyOf, type Option, type OptionTable } from "./option.ts";

/** Defaults that go without saying in `--help`, as in that of Go's programs. */
const ZERO_TEXTS = ["", '""', "0", "0s", "false"];

/** The text of `--help`: each flag on a line of its own, what it does and its default on the next. */
export function helpText(program: string, table: OptionTable): string {
  const specs = Object.values(table).sort((a, b) => a.flag < b.flag ? -1 : 1);
  const lines = [`Usage of ${program}:`];
  for (const spec of specs) {
    const shown = spec.kind.show(defaultOf(spec));
    lines.push(
      `  --${spec.flag}${spec.kind.bareText === undefined ? ` <${spec.kind.name}>` : ""}`,
      `          ${spec.description}${ZERO_TEXTS.includes(shown) ? "" : ` (default ${shown})`}`,
    );
  }
  return lines.join("\n");
}

/** The table as a table in Markdown. It is the same on every machine. A program without a file has no keys. */
export function markdownTable(table: OptionTable): string {
  const hasKeys = Object.values(table).some((spec) => keyOf(spec) !== undefined);
  const rows = Object.values(table).map((spec) => {
    const key = keyOf(spec);
    const cells = [
      `\`${spec.flag.length === 1 ? "-" : "--"}${spec.flag}\``,
      ...hasKeys ? [key === undefined ? "" : `\`${key}\``] : [],
      spec.kind.name,
      docsDefault(spec),
      spec.description.replaceAll("<", "\\<").replaceAll("|", "\\|"),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const key = hasKeys ? [" key |", " --- |"] : ["", ""];
  return [`| flag |${key[0]} value | default | |`, `| --- |${key[1]} --- | --- | --- |`, ...rows].join("\n");
}

function docsDefault(spec: Option<unknown>): string {
  if (spec.defaultNote !== undefined) return spec.defaultNote;
  const shown = spec.kind.show(defaultOf(spec));
  return shown === "" || shown === '""' ? "" : `\`${shown}\``;
}
