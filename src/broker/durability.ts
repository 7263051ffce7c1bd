/**
 * What a publisher's OK means, for each topic.
 *
 * @module
 */

/**
 * - `memory`: taken. Kept over a graceful stop, lost in a crash unless it was spilled to the store.
 * - `disk`: written to the store. Survives the death of the program, not a loss of power.
 * - `fsync`: synced. Survives a loss of power.
 */
export type Durability = "memory" | "disk" | "fsync";

/** All of them, the weakest first. */
export const DURABILITIES: readonly Durability[] = ["memory", "disk", "fsync"];

/** Which topic has which durability: that of the first rule that fits its name, else the usual one. */
export class DurabilityRules {
  readonly #rules: readonly { readonly names: RegExp; readonly durability: Durability }[];
  readonly #usual: Durability;

  /**
   * Each rule is `<pattern>=<durability>`, the pattern a topic's name in which `*` stands for any characters and `?`
   * for one.
   *
   * @throws {SyntaxError} If a rule is not of that form.
   */
  constructor(usual: Durability, rules: readonly string[]) {
    this.#usual = usual;
    this.#rules = rules.map(parseRule);
  }

  of(topic: string): Durability {
    return this.#rules.find(({ names }) => names.test(topic))?.durability ?? this.#usual;
  }
}

function parseRule(rule: string): { names: RegExp; durability: Durability } {
  const [, pattern = "", word] = /^([-.\w*?]+)=(\w+)$/.exec(rule) ?? [];
  const durability = DURABILITIES.find((durability) => durability === word);
  if (durability === undefined) {
    throw new SyntaxError(`must be <pattern>=${DURABILITIES.join("|")}: ${JSON.stringify(rule)}`);
  }
  const source = pattern.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
  return { names: new RegExp(`^${source}$`), durability };
}
