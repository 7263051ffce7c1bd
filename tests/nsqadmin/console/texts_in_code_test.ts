import { assertEquals } from "@std/assert";

const CONSOLE = new URL("../../../src/nsqadmin/console/", import.meta.url);
/** Attributes, and properties of components, that become a text of a page. */
const SAID_ATTRIBUTES = ["aria-label", "title", "placeholder", "caption", "label", "shown", "what"];
/** Begins as a title or a sentence does, or has three words in a row. */
const PROSE = /^\p{Lu}\p{Ll}+([ …,:?.]|$)|\p{L}+,? \p{L}+,? \p{L}{2,}/u;

/** What may stand in code, with the reason. */
const ALLOWED: ReadonlyMap<string, string> = new Map([
  ...["nsqadmin", "· nsqadmin", "denosq v", "(NSQ v"].map((name) => [name, "a name of a program"] as const),
  ...["CSV", "JSON", "UTC"].map((name) => [name, "a name of a format"] as const),
  ["Location", "a header of HTTP"],
  ...["Escape", "Enter"].map((key) => [key, "a key, as browsers call it"] as const),
  ...["a, button, input", "main tbody tr"].map((tags) => [tags, "a selector"] as const),
  ...["it has taken too long", "you may not read messages any more"]
    .map((error) => [error, "an error in a file"] as const),
]);

/** Texts for people that a source file has: between tags, as what a tag says, and all other prose but that of errors. */
function textsIn(path: string, source: string): string[] {
  const texts: string[] = [];
  const note = (node: Deno.lint.Node, text: string) => {
    if (isSaid(node) ? /\p{L}{2}/u.test(text) : PROSE.test(text) && !isOfError(node)) texts.push(text.trim());
  };
  const rule: Deno.lint.Rule = {
    create: () => ({
      JSXText: (node) => note(node, node.value),
      Literal: (node) => note(node, typeof node.value === "string" ? node.value : ""),
      TemplateElement: (node) => note(node, node.raw),
    }),
  };
  Deno.lint.runPlugin({ name: "texts", rules: { texts: rule } }, path, source);
  return texts;
}

/** It is shown, always or under a condition. */
function isSaid(node: Deno.lint.Node): boolean {
  const parent = parentOf(node);
  switch (parent?.type) {
    case "JSXElement":
    case "JSXFragment":
      return true;
    case "JSXAttribute":
      return SAID_ATTRIBUTES.includes(String(parent.name.name));
    case "ConditionalExpression":
      return node !== parent.test && isSaid(parent);
    case "LogicalExpression":
      return (node === parent.right || parent.operator !== "&&") && isSaid(parent);
    case "BinaryExpression":
      return parent.operator === "+" && isSaid(parent);
    case "TemplateLiteral":
    case "JSXExpressionContainer":
      return isSaid(parent);
    default:
      return false;
  }
}

function isOfError(node: Deno.lint.Node): boolean {
  const parent = parentOf(node);
  return parent?.type === "NewExpression" || parent?.type === "TemplateLiteral" && isOfError(parent);
}

function parentOf(node: Deno.lint.Node): Deno.lint.Node | undefined {
  return "parent" in node ? node.parent as Deno.lint.Node : undefined;
}

Deno.test("textsIn() finds what is said between tags, by attributes, and in texts that come there later", () => {
  const source = `
    const LATER = "Said later";
    throw new TypeError(\`No \${name} for a page\`);
    const page = (
      <section class="unsaid" aria-label="Said of it" title={isNew ? "new" : title}>
        said {count}
        {isOpen && "open"} {isOpen === "closed" ? texts.closed : \`\${name} is closed\`} <td>{kind === "in" && texts.in}</td>
        {texts.said("not said")}
      </section>
    );`;

  assertEquals(
    textsIn("page.tsx", source).filter((text) => text !== "").sort(),
    ["Said later", "Said of it", "is closed", "new", "open", "said"],
  );
});

Deno.test("No page, and no script of one, has texts of its own: they are in the table", () => {
  const found = ["", "browser/"].flatMap((folder) =>
    [...Deno.readDirSync(new URL(folder, CONSOLE))]
      .filter(({ name }) => /\.tsx?$/.test(name))
      .flatMap(({ name }) => {
        const texts = textsIn(name, Deno.readTextFileSync(new URL(folder + name, CONSOLE)));
        return texts.map((text) => ({ name, text }));
      })
  );

  assertEquals(found.filter(({ text }) => !ALLOWED.has(text)), []);
  assertEquals([...ALLOWED.keys()].filter((text) => found.every((each) => each.text !== text)), []);
});
