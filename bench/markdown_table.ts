/**
 * A Markdown table, as the benchmarks print them.
 *
 * @module
 */

/** Lays out rows under a head; columns after the first `textColumns` have figures, which stand at the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { textColumns = 1 }: { readonly textColumns?: number } = {},
): string {
  const rule = head.map((_, column) => column < textColumns ? "---" : "---:");
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
