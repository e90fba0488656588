// Which counters there are, as far as someone has looked: below which parent, or found by a search. A page at a time.

import { request } from "./session.js";
import { createStore, store } from "./store.js";

const PAGE = 50;
const ROOTS_ADDED_MAX = 100; // as many as one stream may watch: with more, what all have together is told by the second
const RELOAD_MS = 2_000; // new counters show up so soon

/** lists: parent → { names, next, loading }, those found under "?text"; children: name → how many. */
export const tree = createStore({ lists: {}, children: {}, units: {}, open: new Set(), text: "" });

const listKey = ({ text }) => (text ? `?${text}` : "");

/** A search looks at a million names at a time: it goes on until it has found some, or is at the end, or another is wanted. */
async function load(key, after, limit) {
  let page = await loadOnce(key, after, limit);
  while (!page.counters.length && page.next && key === listKey(tree.get())) page = await loadOnce(key, page.next, limit);
  return page;
}

async function loadOnce(key, after, limit) {
  const what = key.startsWith("?") ? `search=${encodeURIComponent(key.slice(1))}` : `parent=${encodeURIComponent(key)}`;
  const page = await request("GET", `/v1/counters?${what}&limit=${limit}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
  const { children, units } = tree.get();
  tree.set({
    children: { ...children, ...Object.fromEntries(page.counters.map((one) => [one.counter, one.children])) },
    units: { ...units, ...Object.fromEntries(page.counters.map((one) => [one.counter, one.unit])) },
  });
  const fresh = Object.fromEntries(page.counters.map(({ children: _, ...reading }) => [reading.counter, reading]));
  store.set({ readings: { ...fresh, ...newer(fresh) } });
  return page;
}

/** What the stream has told is at least as new as what a list says. */
function newer(fresh) {
  const { readings } = store.get();
  return Object.fromEntries(
    Object.entries(readings).filter(([name, one]) => !fresh[name] || one.sequence >= fresh[name].sequence),
  );
}

function keep(key, list) {
  tree.set({ lists: { ...tree.get().lists, [key]: list } });
}

/** Fetch a list's first page, or its next one. */
export async function more(key) {
  const list = tree.get().lists[key];
  if (list?.loading) return;
  keep(key, { names: [], next: null, ...list, loading: true, failed: "" });
  try {
    const page = await load(key, list?.next ?? "", PAGE);
    const names = page.counters.map((one) => one.counter);
    keep(key, { names: [...(list?.names ?? []), ...names], next: page.next, loading: false, failed: "" });
  } catch (error) {
    keep(key, { names: [], next: null, ...list, loading: false, failed: error.message });
  }
}

/** Fetch what is shown anew, as long as it is. */
async function reload() {
  const { lists, open, text } = tree.get();
  for (const key of new Set(["", listKey({ text }), ...open])) {
    if (lists[key]?.loading || (key && !lists[key])) continue;
    const limit = Math.min(1_000, Math.max(PAGE, lists[key]?.names.length ?? 0, key ? 0 : ROOTS_ADDED_MAX));
    try {
      const page = await load(key, "", limit);
      const names = page.counters.map((one) => one.counter);
      keep(key, { names, next: page.next, loading: false, failed: "" });
      if (key === "") store.set({ roots: page.next || names.length > ROOTS_ADDED_MAX ? null : names });
    } catch (error) {
      if (key === "" && error.status === 403 && store.get().chosen) alone(store.get().chosen);
      else keep(key, { names: [], next: null, ...lists[key], loading: false, failed: error.message });
    }
  }
}

/** Where the token is good for some counters alone, the tree begins with the one that was asked for by its address. */
function alone(name) {
  const { children, open } = tree.get();
  keep("", { names: [name], next: null, loading: false, failed: "" });
  tree.set({ children: { ...children, [name]: 1 }, open: new Set([...open, name]) });
  more(name);
}

export function toggle(name, wanted) {
  const open = new Set(tree.get().open);
  if (wanted) open.add(name);
  else open.delete(name);
  tree.set({ open });
  if (wanted && !tree.get().lists[name]) more(name);
}

/** Open all that is above a counter. */
function reveal(name) {
  const parts = name.split(".");
  for (let depth = 1; depth < parts.length; depth++) toggle(parts.slice(0, depth).join("."), true);
}

export function search(text) {
  tree.set({ text });
  if (text && !tree.get().lists[`?${text}`]) more(`?${text}`);
}

/** The rows of the tree from top to bottom, each with its depth; and where there is more, a row that says so. */
export function rowsOf({ lists, children, open, text }) {
  const rows = [];
  const add = (key, level) => {
    const list = lists[key];
    for (const name of list?.names ?? []) {
      const parent = !text && children[name] > 0;
      rows.push({ key: name, name, level, label: text ? name : name.split(".").at(-1), parent, open: parent && open.has(name) });
      if (parent && open.has(name)) add(name, level + 1);
    }
    if (list?.next) rows.push({ key: `${key} more`, more: key, level, loading: list.loading });
  };
  add(listKey({ text }), 1);
  return rows;
}

let known = -1;
let loadedAt = 0;
let pending = 0;

/** New counters and a new token are reasons to look again; what is chosen by its address is shown in the tree. */
export function follow() {
  let revealed = "";
  const look = () => {
    const { overview, link, chosen } = store.get();
    if (link.state === "live" && chosen !== revealed) reveal((revealed = chosen));
    if (link.state !== "live" || (overview?.counters ?? 0) === known || pending) return;
    pending = setTimeout(
      async () => {
        pending = 0;
        loadedAt = Date.now();
        known = store.get().overview?.counters ?? 0; // a token that is good for some counters is told nothing of the whole
        await reload();
      },
      Math.max(0, loadedAt + RELOAD_MS - Date.now()),
    );
  };
  store.subscribe(look);
  document.addEventListener("footfall:token", () => (known = -1));
}
