import { assertEquals, assertThrows } from "@std/assert";
import { type Content, Fragment, jsx, jsxAttr, type Markup } from "../../../src/nsqadmin/console/markup.ts";

const HOSTILE = `<script>alert("x")</script>&'`;
const ESCAPED = "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&amp;&#39;";

function Item({ name, children }: { readonly name: string; readonly children?: Content }): Markup {
  return <li title={name}>{children}</li>;
}

Deno.test("What is put between tags, or into an attribute, is escaped", () => {
  assertEquals(String(<p class={HOSTILE}>{HOSTILE}</p>), `<p class="${ESCAPED}">${ESCAPED}</p>`);
  assertEquals(
    String(<Item name={HOSTILE}>{[HOSTILE, [HOSTILE]]}</Item>),
    `<li title="${ESCAPED}">${ESCAPED}${ESCAPED}</li>`,
  );
  assertEquals(
    String(jsx("b", { title: HOSTILE, children: HOSTILE })),
    `<b title="${ESCAPED}">${ESCAPED}</b>`,
  );
});

Deno.test("What a component has made is not escaped again", () => {
  const items = ["a", "b"].map((name) => <Item name={name}>{name}&amp;</Item>);

  assertEquals(String(<ul>{items}</ul>), '<ul><li title="a">a&amp;</li><li title="b">b&amp;</li></ul>');
});

Deno.test("What says nothing is left out, and 0 and an empty text are not", () => {
  assertEquals(String(<p>{null}{undefined}{false}{true}{0}</p>), "<p>0</p>");
  assertEquals(
    String(jsx("input", { disabled: true, checked: false, value: "", max: 0, ...{ name: undefined } })),
    '<input disabled value="" max="0">',
  );
});

Deno.test("Several can be without a tag around them", () => {
  const children = ["a", <b>b</b>];
  assertEquals([String(<>{children}</>), String(Fragment({ children }))], ["a<b>b</b>", "a<b>b</b>"]);
});

for (
  const [name, value] of [
    ["onclick", "x"],
    ["style", "color: red"],
    ["srcdoc", "x"],
    ["href", "javascript:alert(1)"],
    ["href", "//evil.example/"],
    ["href", "/\\evil.example/"],
    ["href", "/\t/evil.example/"],
    ["href", "https://evil.example/"],
    ["src", "data:text/html,x"],
    ["action", "http://evil.example/"],
    ["a b", "x"],
    ['x"', "x"],
    ["ONCLICK", "x"],
  ]
) {
  Deno.test(`An attribute ${name}=${JSON.stringify(value)} is refused`, () => {
    assertThrows(() => jsxAttr(name, value), TypeError);
    assertThrows(() => jsx("a", { [name]: value }), TypeError);
  });
}

for (const address of ["/", "/topics/a%22b", "?page=2", "#main", ""]) {
  Deno.test(`A link may lead to ${JSON.stringify(address)}`, () => {
    assertEquals(String(<a href={address}>x</a>), `<a href="${address}">x</a>`);
  });
}
