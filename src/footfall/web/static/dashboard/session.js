// Keeps the store as the node is: the stream of events, what is watched in it, and the samples of the live chart.

import { ask, path, Refusal, token } from "./api.js";
import { nodeTime, setClock } from "./clock.js";
import { parse, together } from "./numbers.js";
import { placed } from "./owners.js";
import { store } from "./store.js";
import { Stream } from "./stream.js";

const WATCHED_MAX = 100; // counters in one stream
const SAMPLES_MAX = 150; // one a second
const GONE_MAX = 8;
const REWATCH_MS = 250; // rows scroll by: not a new stream for each

const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,7}$/;

const shown = new Set(); // counters whose rows can be seen
let watched = "";
let timer = 0;

const stream = new Stream({
  event(name, text) {
    handlers[name]?.(parse(text));
  },
  open(date) {
    setClock(date);
    const { state } = store.get().link;
    store.set({
      link: { state: "live", retryAt: 0, reason: "" },
      said: state === "waiting" ? "Connected again." : store.get().said,
    });
  },
  waiting(seconds, reason) {
    const said = store.get().link.state === "waiting" ? store.get().said : "Disconnected. The numbers are old.";
    store.set({ link: { state: "waiting", retryAt: Date.now() + seconds * 1_000, reason }, said });
  },
  refused(refusal) {
    store.set({ link: { state: "refused", retryAt: 0, reason: refusal.message } });
    askForToken(refusal);
  },
});

const handlers = {
  overview: take,
  values(readings) {
    store.set({ readings: { ...store.get().readings, ...Object.fromEntries(readings.map((one) => [one.counter, one])) } });
  },
  winner: celebrate,
};

const celebrated = new Set();
const keyOf = ({ counter, n }) => `${counter} ${n}`;

function celebrate(milestone) {
  if (!milestone.winner.claimed && !celebrated.has(keyOf(milestone))) store.set({ winner: milestone });
  celebrated.add(keyOf(milestone));
  const { overview } = store.get();
  if (!overview?.milestones.some((one) => keyOf(one) === keyOf(milestone) && one.winner?.claimed !== milestone.winner.claimed)) return;
  const milestones = overview.milestones.map((one) => (keyOf(one) === keyOf(milestone) ? { ...one, ...milestone } : one));
  store.set({ overview: { ...overview, milestones } });
}

let toldAt = 0; // when an overview came last: long ago, if the page was hidden

function take(overview) {
  const { overview: before, owners, gone } = store.get();
  const ids = overview.nodes.map((node) => node.id);
  const left = before?.node === overview.node ? before.nodes.filter((node) => !ids.includes(node.id)) : [];
  const silent = Object.fromEntries(Object.entries(gone).filter(([id]) => !ids.includes(id)));
  for (const node of left) silent[node.id] ??= { node, since: toldAt };
  toldAt = Date.now();
  const kept = Object.fromEntries(Object.entries(silent).slice(-GONE_MAX));
  store.set({
    overview,
    owners: placed(owners, [...new Set([...ids, ...Object.keys(kept)])]),
    gone: kept,
    said: left.length ? `Not heard any more: ${left.map((node) => node.id).join(", ")}.` : store.get().said,
  });
  for (const one of overview.milestones.filter((each) => each.winner)) {
    if (before) celebrate(one); // its event was missed
    else celebrated.add(keyOf(one));
  }
}

/** What is shown large: the chosen counter, or the visits of all at the top; null while it is not known. */
export function valueOf(state) {
  return state.chosen ? (state.readings[state.chosen]?.value ?? null) : allOf(state, "visits");
}

/** What all at the top that count in a unit have together; null while it is not known. */
export function allOf({ readings, roots, overview }, unit) {
  if (!roots) return (unit === "visits" ? overview?.total : overview?.visitors) ?? null;
  return roots.every((name) => readings[name]) ? together(roots.map((name) => readings[name]), unit) : null;
}

/** Rows that can be seen are kept up to date; the chosen counter and those at the top always are. */
export function show(names) {
  shown.clear();
  for (const name of names) shown.add(name);
  rewatch();
}

function rewatch() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const { chosen, roots } = store.get();
    const names = new Set([chosen, ...(roots ?? []), ...shown].filter(Boolean));
    const query = [...names].slice(0, WATCHED_MAX).sort().map((name) => `counter=${encodeURIComponent(name)}`);
    const where = `/v1/events?${query.join("&")}`;
    if (where === watched) return;
    watched = where;
    listen();
  }, REWATCH_MS);
}

/** A hidden page holds no line: a browser has six for each node, and on a phone that slept it leads nowhere. */
function listen() {
  if (document.hidden) stream.close();
  else if (watched) stream.open(watched);
}

/** Choose a counter, or "" for all; who asks for the page by its address comes here, too. */
export function choose(name) {
  if (name === store.get().chosen) return;
  store.set({ chosen: name, samples: [] });
  document.title = name ? `${name} · Footfall` : "Footfall";
  rewatch();
}

export const retry = () => stream.hurry();

export function askForToken(refusal) {
  const wrong = refusal.withToken ? refusal.message : "";
  store.set({ dialog: { kind: "token", wrong } });
}

/** What the node answers; a dialog asks for a token if one is needed. */
export async function request(method, where, body) {
  try {
    return await ask(method, where, body);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) askForToken(error);
    throw error;
  }
}

export function useToken(secret) {
  token.set(secret);
  store.set({ dialog: null, link: { ...store.get().link, state: "connecting" } });
  stream.open(watched);
  document.dispatchEvent(new Event("footfall:token"));
}

function sample() {
  const state = store.get();
  const value = valueOf(state);
  if (document.hidden || state.link.state !== "live" || value === null) return;
  store.set({ samples: [...state.samples.slice(-SAMPLES_MAX), [nodeTime(), value]] });
}

function follow() {
  if (location.hash && !location.hash.startsWith("#/")) return; // a link within the page
  const name = location.hash.slice(2);
  choose(NAME.test(name) ? name : "");
}

/** Begin. */
export function start() {
  follow();
  addEventListener("hashchange", follow);
  addEventListener("online", () => document.hidden || retry());
  document.addEventListener("visibilitychange", () => store.get().link.state === "refused" || listen());
  setInterval(sample, 1_000);
  rewatch();
}

export const milestonePath = (counter, n, ...rest) => path("counters", counter, "milestones", String(n), ...rest);
