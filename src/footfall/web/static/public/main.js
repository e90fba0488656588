// The public page of one counter: shows it live, and tells a visitor whose receipt is the winner's that it is.

import { receipts, remember } from "./receipts.js";
import { sha256 } from "./sha256.js";
import { roll } from "./wheels.js";

const AGAIN_MS = 3_000; // until a stream that the server has refused is asked for again
const LOOK_MS = 30_000; // between looks whether a silent line still leads anywhere
const PRIVATE_MS = 60_000; // the same, if it may not be read
const ANSWER_MS = 5_000;
const SPEAK_MS = 10_000; // between two counts that a screen reader tells

const LOST = "Not connected. This was the count; trying again …";
const PRIVATE = "This counter is not public.";
const CLOSED = "Visits to this counter are not taken from a page.";

const { counter } = document.body.dataset;
const api = new URL(`../v1/counters/${counter}`, location.href).href; // works below a prefix, too
const at = (id) => document.getElementById(id);
const milestones = new Map();
const known = new Map(); // digests of receipts
let value = null;
let unit = "visits";
let stream = null;
let spokenAt = -SPEAK_MS;
let speaking = 0;
let won = null;

// Whole numbers up to 2**63 are more than JavaScript's numbers hold, so they stay texts.
const parse = (text) => JSON.parse(text.replace(/("(?:value|n)":)(\d+)/g, '$1"$2"'));
const spaced = (digits) => String(digits).replace(/\B(?=(\d{3})+$)/g, "\u202f");

function show(reading) {
  value = BigInt(reading.value);
  unit = reading.unit;
  roll(at("count"), reading.value);
  document.title = `${spaced(value)} · ${counter}`;
  tellNext();
  speak();
}

const counted = () => (value === 1n ? unit.replace(/s$/, "") : unit);

function speak() {
  const due = SPEAK_MS - (performance.now() - spokenAt);
  if (due > 0) {
    speaking ||= setTimeout(speak, due);
    return;
  }
  speaking = 0;
  spokenAt = performance.now();
  at("spoken").textContent = `${value} ${counted()}`;
}

function tellNext() {
  if (value === null) return;
  const all = [...milestones.keys()].map(BigInt).sort((a, b) => (a < b ? -1 : 1));
  const next = all.find((n) => n > value);
  const last = all.findLast((n) => n <= value);
  if (next !== undefined) at("next").textContent = `${spaced(next - value)} to go until ${spaced(next)}`;
  else at("next").textContent = last === undefined ? counted() : `${spaced(last)} was reached`;
}

function take(found) {
  for (const milestone of found) milestones.set(milestone.n, milestone);
  tellNext();
  compare();
}

/** Look for the receipt of a winner among the visitor's own. */
function compare() {
  const own = receipts();
  for (const receipt of own) if (!known.has(receipt)) known.set(receipt, sha256(receipt));
  const digests = new Map(own.map((receipt) => [known.get(receipt), receipt]));
  for (const milestone of milestones.values()) {
    const receipt = milestone.winner && digests.get(milestone.winner.receipt_sha256);
    if (receipt) congratulate(milestone, receipt);
  }
}

function congratulate(milestone, receipt) {
  won = milestone;
  at("won").hidden = false;
  at("prize").textContent = `Yours was number ${spaced(milestone.n)} of ${counter}.`;
  at("receipt").value = receipt;
  at("claim").disabled = milestone.winner.claimed;
  if (milestone.winner.claimed) at("claimed").textContent = "It was claimed with this receipt.";
}

async function copy() {
  try {
    await navigator.clipboard.writeText(at("receipt").value);
    at("claimed").textContent = "Copied.";
  } catch { // over plain HTTP, or forbidden
    at("receipt").select();
    at("claimed").textContent = "Selected: copy it with Ctrl+C, or by touching it for long.";
  }
}

/** Why a request was refused, as a sentence. */
async function refusal(answer) {
  const { detail } = await answer.json();
  return `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
}

async function claim() {
  at("claim").disabled = true;
  try {
    const answer = await fetch(`${api}/milestones/${won.n}/claim`, {
      method: "POST",
      body: JSON.stringify({ receipt: at("receipt").value }),
    });
    if (answer.ok) return take([parse(await answer.text())]);
    at("claimed").textContent = [401, 403].includes(answer.status)
      ? "Claims are not taken here: show your receipt to whoever runs the raffle."
      : await refusal(answer);
  } catch {
    at("claimed").textContent = "The claim did not get through: try again.";
  }
  at("claim").disabled = false;
}

// The line

function disconnected(why) {
  document.body.classList.add("stale");
  at("trouble").textContent = why;
}

/** Why the counter cannot be read; nothing, if it can. */
async function barred() {
  try {
    const answer = await fetch(api, { signal: AbortSignal.timeout(ANSWER_MS) });
    if ([401, 403].includes(answer.status)) return PRIVATE;
    return answer.ok ? "" : LOST;
  } catch {
    return LOST;
  }
}

/** What stands, whatever was missed. */
async function catchUp(ours) {
  const answer = await fetch(`${api}/milestones`).catch(() => null);
  if (answer?.ok) take(parse(await answer.text()).milestones);
  else setTimeout(() => ours === stream && catchUp(ours), AGAIN_MS);
}

function open() {
  stream?.close();
  const ours = (stream = new EventSource(`${api}/events`));
  ours.onopen = () => {
    document.body.classList.remove("stale");
    at("trouble").textContent = "";
    catchUp(ours);
  };
  ours.onerror = async () => {
    disconnected(LOST);
    if (ours.readyState !== EventSource.CLOSED) return; // the browser tries again
    const why = (await barred()) || LOST;
    if (ours !== stream) return;
    disconnected(why);
    setTimeout(() => ours === stream && open(), why === PRIVATE ? PRIVATE_MS : AGAIN_MS);
  };
  ours.addEventListener("value", (event) => show(parse(event.data)));
  for (const kind of ["phase", "winner"]) ours.addEventListener(kind, (event) => take([parse(event.data)]));
}

/** See whether a silent line still leads anywhere: one that was cut without a word looks like one on which nothing happens. */
async function look() {
  const ours = stream;
  if (ours?.readyState !== EventSource.OPEN) return;
  const why = await barred();
  if (!why || ours !== stream) return;
  disconnected(why);
  open();
}

function close() {
  stream?.close();
  stream = null;
}

async function visit() {
  const key = crypto.getRandomValues(new Uint32Array(5)).join("-"); // a key that nobody can guess is its own receipt
  remember(key); // first: an answer that is lost tells nothing of the visit
  try {
    const answer = await fetch(`${api}/visits`, { method: "POST", body: JSON.stringify({ visits: [{ key }] }) });
    const barred = [401, 403].includes(answer.status);
    if (!answer.ok) at("refused").textContent = `Your visit was not counted. ${barred ? CLOSED : await refusal(answer)}`;
  } catch {
    at("refused").textContent = "Nobody can tell whether your visit was counted: the connection was lost.";
  }
  compare();
}

at("copy").addEventListener("click", copy);
at("claim").addEventListener("click", claim);
addEventListener("receipts", compare);
addEventListener("offline", () => disconnected(LOST));
addEventListener("online", () => document.hidden || open());
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open())); // a hidden page holds no line
setInterval(look, LOOK_MS);
if (!document.hidden) open();
if (new URLSearchParams(location.search).has("visit")) visit();
