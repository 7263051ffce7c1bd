// src/nsqadmin/console/browser/console.ts
var root = document.documentElement;
var eventsPath = root.dataset.events;
if (eventsPath !== void 0) keepUpToDate(eventsPath);
useKeys();
function keepUpToDate(path) {
  let events;
  let isPaused = false;
  const state = Object.assign(document.createElement("p"), {
    className: "live"
  });
  state.setAttribute("role", "status");
  const button = Object.assign(document.createElement("button"), {
    type: "button",
    className: "plain"
  });
  document.querySelector("footer")?.append(state, button);
  function show() {
    const isWanted = !isPaused && !document.hidden;
    if (isWanted && events === void 0) events = listen();
    else if (!isWanted) {
      events?.close();
      events = void 0;
    }
    button.textContent = isPaused ? "Go on updating" : "Stop updating";
    if (isPaused) say("Numbers are not updated.", false);
  }
  function listen() {
    const source = new EventSource(path);
    source.addEventListener("round", () => void update());
    source.addEventListener("open", () => say("", false));
    source.addEventListener("error", () => {
      say("The connection is lost: numbers are old.", true);
      if (source.readyState === EventSource.CLOSED) void update();
    });
    return source;
  }
  function say(text, isOld) {
    if (state.textContent !== text) state.textContent = text;
    root.classList.toggle("old", isOld);
  }
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    show();
  });
  document.addEventListener("visibilitychange", show);
  show();
}
var isUpdating = false;
var isBehind = false;
async function update() {
  isBehind = true;
  if (isUpdating) return;
  isUpdating = true;
  try {
    while (isBehind) {
      isBehind = false;
      await load();
    }
  } finally {
    isUpdating = false;
  }
}
async function load() {
  const url = new URL(location.href);
  url.searchParams.delete("done");
  let text;
  try {
    const response = await fetch(url, {
      cache: "no-store",
      headers: {
        "X-Nsqadmin-Update": "1"
      }
    });
    if (response.redirected) return location.reload();
    if (!response.ok) return;
    text = await response.text();
  } catch (error) {
    if (error instanceof TypeError) return;
    throw error;
  }
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (fresh !== null && main !== null) takeOver(main, fresh);
}
function takeOver(main, fresh) {
  const boxes = () => [
    ...main.querySelectorAll("input[type=checkbox]")
  ];
  const ticked = new Set(boxes().filter(({ checked }) => checked).map(({ value }) => value));
  const focused = document.activeElement;
  const of = focused === null ? "" : rowThing(focused);
  patch(main, fresh);
  for (const box of boxes()) box.checked = ticked.has(box.value);
  if (of === "" || focused !== null && rowThing(focused) === of) return;
  const things = main.querySelectorAll("tbody th a, tbody th input");
  [
    ...things
  ].find((thing) => rowThing(thing) === of)?.focus({
    preventScroll: true
  });
}
function rowThing(element) {
  if (element.closest("tbody th") === null) return "";
  if (element instanceof HTMLInputElement) return `box ${element.value}`;
  return element instanceof HTMLAnchorElement ? `link ${element.href}` : "";
}
function patch(old, fresh) {
  if (old.matches("input:not([type=hidden], [type=checkbox]), select, textarea")) return;
  for (const { name } of [
    ...old.attributes
  ]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [
    ...old.childNodes
  ];
  const after = [
    ...fresh.childNodes
  ];
  after.forEach((node, i) => {
    const known = before[i];
    if (known === void 0) old.append(node);
    else if (known instanceof Element && node instanceof Element && known.tagName === node.tagName) {
      patch(known, node);
    } else if (known instanceof Text && node instanceof Text) {
      if (known.data !== node.data) known.data = node.data;
    } else known.replaceWith(node);
  });
  for (const node of before.slice(after.length)) node.remove();
}
function useKeys() {
  const help = document.querySelector("dialog#keys");
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    const isTyping = target instanceof HTMLElement && target.closest("input:not([type=checkbox]), textarea, select") !== null;
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
    const { key } = event;
    if (isGoing) {
      isGoing = false;
      document.querySelector(`a[data-key="${CSS.escape(key)}"]`)?.click();
    } else if (key === "g") isGoing = true;
    else if (key === "/") document.querySelector("input[type=search]")?.focus();
    else if (key === "?") help?.showModal();
    else if (key === "j" || key === "k") focusRow(key === "j" ? 1 : -1);
    else if (key === "x") tickRow();
    else return;
    event.preventDefault();
  });
}
function focusRow(step) {
  const rows = [
    ...document.querySelectorAll("main tbody tr")
  ].filter((row) => row.querySelector("th a") !== null);
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? 0 : at + step;
  rows[next]?.querySelector("th a")?.focus();
}
function tickRow() {
  document.activeElement?.closest("tbody tr")?.querySelector("input[type=checkbox]")?.click();
}
