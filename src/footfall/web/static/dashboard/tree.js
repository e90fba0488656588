// The counters as a tree, after the pattern of WAI-ARIA: arrows move and open, Enter chooses. Or as what a search found.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { more, rowsOf, search, toggle, tree } from "./counters.js";
import { Chevron, Search } from "./icons.js";
import { compact, count } from "./numbers.js";
import { allOf, show } from "./session.js";
import { createStore, useStore } from "./store.js";

const ROW_PX = 36;
const SEARCH_MS = 200;
const NAMES = /[^A-Za-z0-9_.-]/g;

const folded = createStore({ open: false }); // on a phone the tree is folded until it is wanted

export function Tree() {
  const [, draw] = useState(0);
  const [phone, setPhone] = useState(false);
  useEffect(() => tree.subscribe(() => draw((times) => times + 1)), []);
  useEffect(() => folded.subscribe(() => setPhone(folded.get().open)), []);
  const chosen = useStore((state) => state.chosen);
  const many = useStore((state) => state.overview?.counters);
  return html`<nav class=${`tree ${phone ? "unfolded" : ""}`} aria-labelledby="counters">
    <div class="head">
      <h2 id="counters">Counters</h2>
      <p class="note">${many ? count(many) : ""}</p>
    </div>
    <button class="fold" aria-expanded=${String(phone)} aria-controls="tree" onClick=${() => folded.set({ open: !phone })}>
      <span>${chosen || "All counters together"}</span><${Chevron} />
    </button>
    <div class="folded" id="tree">
      <${SearchField} />
      <${Rows} state=${tree.get()} chosen=${chosen} />
    </div>
  </nav>`;
}

function SearchField() {
  const timer = useRef();
  const onInput = ({ target }) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => search(target.value.replace(NAMES, "").slice(0, 200)), SEARCH_MS);
  };
  const onKeyDown = (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    document.querySelector('[role="treeitem"][tabindex="0"]')?.focus();
  };
  return html`<div class="search">
    <${Search} />
    <input type="search" aria-label="Search counters" placeholder="Search" spellcheck=${false} autocapitalize="none" autocorrect="off" autocomplete="off" onInput=${onInput} onKeyDown=${onKeyDown} />
  </div>`;
}

function Rows({ state, chosen }) {
  const box = useRef();
  const rows = rowsOf(state);
  const all = state.text ? [] : [{ key: "", name: "", level: 1, label: "All together" }];
  const shown = [...all, ...rows];
  const [at, setAt] = useState(chosen);
  const current = shown.some((row) => row.key === at) ? at : shown[0]?.key;
  const look = () => {
    const first = Math.max(0, Math.floor(box.current.scrollTop / ROW_PX) - 2);
    const seen = shown.slice(first, first + Math.ceil(box.current.clientHeight / ROW_PX) + 4);
    show(seen.map((row) => row.name).filter(Boolean));
  };
  const names = shown.map((row) => row.key).join(" ");
  useEffect(look, [names]);
  const move = (key) => {
    setAt(key);
    requestAnimationFrame(() => box.current.querySelector('[tabindex="0"]')?.focus());
  };
  const list = state.lists[state.text ? `?${state.text}` : ""];
  return html`
    <ul role="tree" aria-label="Counters" ref=${box} onScroll=${look} onKeyDown=${(event) => onKey(event, shown, current, move)}>
      ${shown.map((row) => html`<${Row} key=${row.key} row=${row} current=${row.key === current} chosen=${row.name === chosen} />`)}
    </ul>
    ${state.text && list && !list.names.length && !list.next && html`<p class="hint" role="status">${list.loading ? "Searching …" : `No counter has “${state.text}” in its name.`}</p>`}
    ${list?.failed && html`<p class="hint bad">${list.failed}</p>`}
  `;
}

function pick(row) {
  if (row.more !== undefined) return more(row.more);
  location.hash = row.name ? `#/${row.name}` : "#/";
  folded.set({ open: false });
}

/** What a key does in a tree: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/ */
function onKey(event, rows, current, move) {
  const index = rows.findIndex((row) => row.key === current);
  const row = rows[index];
  const steps = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 };
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key in steps) {
    const next = rows[Math.min(rows.length - 1, Math.max(0, steps[event.key]))];
    move(next.key);
  } else if (event.key === "ArrowRight" && row.parent) {
    if (row.open && rows[index + 1]?.level > row.level) move(rows[index + 1].key);
    else if (!row.open) toggle(row.name, true);
  } else if (event.key === "ArrowLeft") {
    if (row.open) toggle(row.name, false);
    else move(rows.slice(0, index).findLast((above) => above.level < row.level)?.key ?? current);
  } else if (event.key === "Enter" || event.key === " ") {
    pick(row);
  } else {
    return;
  }
  event.preventDefault();
}

function Row({ row, current, chosen }) {
  const reading = useStore((state) => state.readings[row.name]);
  const total = useStore((state) => (row.name === "" && row.more === undefined ? allOf(state, "visits") : null));
  const value = row.name === "" ? total : reading?.value;
  const caret = row.parent
    ? html`<span class="caret" onClick=${(event) => {
        event.stopPropagation();
        toggle(row.name, !row.open);
      }}><${Chevron} /></span>`
    : html`<span class="caret"></span>`;
  return html`<li
    role="treeitem"
    aria-level=${row.level}
    aria-expanded=${row.parent ? String(row.open) : undefined}
    aria-selected=${String(chosen)}
    tabindex=${current ? 0 : -1}
    class=${row.more === undefined ? "" : "more"}
    style=${{ "--level": row.level }}
    title=${row.name}
    onClick=${() => pick(row)}
  >
    ${caret}
    <span class="label">${row.more === undefined ? row.label : row.loading ? "Loading …" : "Show more"}</span>
    ${row.name && reading?.unit === "visitors" && html`<span class="unit" title="Distinct visitors">visitors</span>`}
    <span class="value">${value === undefined || value === null ? "" : Number(value) >= 1e9 ? compact(value) : count(value)}</span>
  </li>`;
}
