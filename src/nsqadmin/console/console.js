// src/nsqadmin/console/browser/palette.ts
function usePalette(texts2) {
  const dialog = document.querySelector("dialog#palette");
  const form = dialog?.querySelector("form");
  const input = dialog?.querySelector("input");
  const list = dialog?.querySelector("ul");
  const state = dialog?.querySelector("[role=status]");
  if (!dialog || !form || !input || !list || !state) return () => {
  };
  const links = () => [
    ...list.querySelectorAll("a")
  ];
  let asking = new AbortController();
  const find = async () => {
    asking.abort();
    const { signal } = asking = new AbortController();
    const url = new URL(form.action);
    url.search = String(new URLSearchParams({
      q: input.value,
      format: "json"
    }));
    try {
      const response = await fetch(url, {
        signal,
        cache: "no-store"
      });
      if (response.redirected) return location.reload();
      if (!response.ok) return show([], texts2.cannotSearch.replace("{status}", String(response.status)));
      const { rows } = await response.json();
      show(rows, texts2.found.replace("{count}", String(rows.length)));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error;
      show([], texts2.connectionLost);
    }
  };
  const show = (found, text) => {
    list.replaceChildren(...found.map(({ kind, name, path }) => {
      const link = Object.assign(document.createElement("a"), {
        href: path,
        textContent: name
      });
      const what = Object.assign(document.createElement("span"), {
        className: "quiet",
        textContent: texts2.kinds[kind]
      });
      const item = document.createElement("li");
      item.append(link, " ", what);
      return item;
    }));
    state.textContent = text;
  };
  input.addEventListener("input", () => void find());
  form.addEventListener("submit", (event) => {
    const [first] = links();
    if (first === void 0) return;
    event.preventDefault();
    first.click();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      dialog.close();
      if (dialog.contains(document.activeElement)) input.blur();
      return;
    }
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const places = [
      input,
      ...links()
    ];
    const at = places.findIndex((place) => place === document.activeElement);
    places[(at + step + places.length) % places.length].focus();
  });
  return () => {
    if (dialog.open) return;
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    dialog.showModal();
    input.select();
    void find();
  };
}

// src/nsqadmin/console/browser/tap.ts
var ROWS_MAX = 200;
function useTap(texts2) {
  const form = document.querySelector("form[data-tap]");
  const body = document.querySelector("tbody");
  if (form === null || body === null) return;
  let events;
  let isWanted = false;
  const button = Object.assign(document.createElement("button"), {
    type: "button",
    className: "plain"
  });
  const state = Object.assign(document.createElement("span"), {
    className: "live"
  });
  state.setAttribute("role", "status");
  form.append(button, state);
  function show() {
    const isOpen = isWanted && !document.hidden;
    if (isOpen && events === void 0) events = open();
    else if (!isOpen) {
      events?.close();
      events = void 0;
    }
    button.textContent = isWanted ? texts2.stopWatching : texts2.watch;
  }
  function open() {
    const query = new URLSearchParams(new FormData(form ?? void 0));
    const source = new EventSource(`${form?.dataset.tap}?${query}`);
    source.addEventListener("open", () => state.textContent = texts2.watching);
    source.addEventListener("message", ({ data }) => add(data));
    source.addEventListener("problem", ({ data }) => state.textContent = data);
    source.addEventListener("over", ({ data }) => end(data));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        end(texts2.tapRefused);
      }
    });
    return source;
  }
  function end(text) {
    isWanted = false;
    show();
    state.textContent = text;
  }
  function add(html) {
    const table = new DOMParser().parseFromString(`<table><tbody>${html}</tbody></table>`, "text/html");
    const row = table.querySelector("tr");
    if (row === null || body === null) return;
    body.querySelector("td[colspan]")?.closest("tr")?.remove();
    body.prepend(row);
    if (body.rows.length > ROWS_MAX) body.lastElementChild?.remove();
  }
  button.addEventListener("click", () => {
    isWanted = !isWanted;
    state.textContent = "";
    show();
  });
  document.addEventListener("visibilitychange", show);
  show();
}

// src/nsqadmin/console/browser/console.ts
var root = document.documentElement;
var eventsPath = root.dataset.events;
var texts = JSON.parse(document.body.dataset.texts ?? "{}");
if (eventsPath !== void 0) keepUpToDate(eventsPath);
useKeys();
useTap(texts);
function keepUpToDate(path) {
  let events;
  let isPaused = root.dataset.live === "off";
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
    button.textContent = isPaused ? texts.goOnUpdating : texts.stopUpdating;
    if (isPaused) say(texts.notUpdated, false);
  }
  function listen() {
    const source = new EventSource(path);
    source.addEventListener("round", () => void update());
    source.addEventListener("open", () => say("", false));
    source.addEventListener("error", () => {
      say(texts.numbersAreOld, true);
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
  const [row, thing] = focused === null ? [
    "",
    ""
  ] : [
    rowOf(focused),
    thingOf(focused)
  ];
  patch(main, fresh);
  for (const box of boxes()) box.checked = ticked.has(box.value);
  if (!(focused instanceof HTMLElement) || focused.isConnected && rowOf(focused) === row) return;
  const things = main.querySelectorAll("a, button, input");
  const same = [
    ...things
  ].find((each) => thingOf(each) === thing && rowOf(each) === row);
  if (same !== void 0) same.focus({
    preventScroll: true
  });
  else focused.blur();
}
function rowOf(element) {
  const head = element.closest("tbody tr")?.querySelector("th");
  return head?.querySelector("a")?.href ?? head?.textContent ?? "";
}
function thingOf(element) {
  if (element instanceof HTMLAnchorElement) return `link ${element.href}`;
  if (element instanceof HTMLButtonElement) return `button ${element.value} ${element.form?.action}`;
  return element instanceof HTMLInputElement ? `field ${element.name} ${element.value}` : "";
}
function patch(old, fresh) {
  if (old.matches("input:not([type=hidden], [type=checkbox]), select, textarea")) return;
  for (const { name } of [
    ...old.attributes
  ]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let next = old.firstChild;
  for (const node of [
    ...fresh.childNodes
  ]) {
    let known = next;
    while (known !== null && !isSame(known, node)) known = known.nextSibling;
    if (known === null) {
      old.insertBefore(node, next);
      continue;
    }
    while (next !== known) next = removed(next);
    if (known instanceof Element && node instanceof Element) patch(known, node);
    else if (known instanceof Text && node instanceof Text && known.data !== node.data) {
      known.data = node.data;
    }
    next = known.nextSibling;
  }
  while (next !== null) next = removed(next);
}
function removed(node) {
  const next = node?.nextSibling ?? null;
  node?.remove();
  return next;
}
function isSame(old, fresh) {
  if (!(old instanceof Element) || !(fresh instanceof Element)) return old.nodeType === fresh.nodeType;
  return old.tagName === fresh.tagName && old.id === fresh.id && old.className === fresh.className && [
    "action",
    "aria-label"
  ].every((name) => old.getAttribute(name) === fresh.getAttribute(name));
}
function useKeys() {
  const help = document.querySelector("dialog#keys");
  const openPalette = usePalette(texts);
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      return openPalette();
    }
    const isTyping = target instanceof HTMLElement && target.closest("input:not([type=checkbox], [type=radio]), textarea, select") !== null;
    if (isTyping && key === "Escape" && target.closest("dialog") === null) {
      event.preventDefault();
      return target.blur();
    }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (isGoing) {
      isGoing = false;
      document.querySelector(`a[data-key="${CSS.escape(key)}"]`)?.click();
    } else if (key === "g") isGoing = true;
    else if (key === "/") document.querySelector("main input[type=search]")?.focus();
    else if (key === "?") help?.showModal();
    else if (key === "j" || key === "k") focusRow(key === "j" ? 1 : -1);
    else if (key === "x") tickRow();
    else if (key === "p") askToPause();
    else if (key === "Enter" && isBox(target)) target.closest("tr")?.querySelector("a")?.click();
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
function rowBox() {
  return document.activeElement?.closest("tbody tr")?.querySelector("input[type=checkbox]");
}
function tickRow() {
  rowBox()?.click();
}
function isBox(target) {
  return target instanceof HTMLInputElement && target.type === "checkbox";
}
function askToPause() {
  const button = document.querySelector("main button[data-key=p]");
  const form = button?.form;
  if (!button || !form) return;
  if (document.querySelector("tbody input:checked") === null) rowBox()?.click();
  const action = `ask-${button.value.replace(/^ask-/, "")}`;
  form.append(Object.assign(document.createElement("input"), {
    type: "hidden",
    name: "action",
    value: action
  }));
  form.submit();
}
