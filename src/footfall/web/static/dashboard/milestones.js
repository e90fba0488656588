// Milestones: how far each is, when it will be reached at this pace, and who won.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { ask, path } from "./api.js";
import { Flag, Plus, Trophy } from "./icons.js";
import { count, distance, duration, ordinal, perSecond, share } from "./numbers.js";
import { store, useStore } from "./store.js";

const SHOWN = 5;
const TOLD_MAX = 100; // in an overview: the nearest, and those that were reached last

export function Milestones() {
  const told = useStore((state) => state.overview.milestones);
  const chosen = useStore((state) => state.chosen);
  const full = told.length >= TOLD_MAX;
  const others = useOthers(chosen, full);
  const milestones = [...told, ...others.filter(({ counter, n }) => !told.some((one) => one.counter === counter && one.n === n))];
  const [all, setAll] = useState(false);
  const sorted = [...milestones].sort((one, other) => (other.counter === chosen) - (one.counter === chosen));
  const shown = all ? sorted : sorted.slice(0, SHOWN);
  return html`<section class="card milestones" aria-labelledby="milestones">
    <div class="head">
      <h2 id="milestones">Milestones</h2>
      <span class="space"></span>
      <button onClick=${() => store.set({ dialog: { kind: "milestone", counter: chosen } })}><${Plus} />New milestone</button>
    </div>
    ${milestones.length === 0 && html`<p class="hint">Set one, and the visit that reaches it is named: one, never two, with a proof.</p>`}
    <ul class=${all ? "all" : ""}>
      ${shown.map((one) => html`<li key=${`${one.counter} ${one.n}`}>${one.winner ? html`<${Reached} one=${one} />` : html`<${Open} one=${one} />`}</li>`)}
    </ul>
    ${all && full && html`<p class="hint">The ${TOLD_MAX} nearest and last reached. Choose a counter to see all of its own.</p>`}
    ${sorted.length > SHOWN && html`<button class="quiet" onClick=${() => setAll(!all)}>${all ? "Show fewer" : full ? "Show more" : `Show all ${count(sorted.length)}`}</button>`}
  </section>`;
}

/** Those of the chosen counter, where an overview has no room for all. */
function useOthers(chosen, full) {
  const [others, setOthers] = useState([]);
  const winner = useStore((state) => state.winner);
  useEffect(() => {
    setOthers([]);
    if (!chosen || !full) return undefined;
    let wanted = true;
    ask("GET", path("counters", chosen, "milestones")).then(
      (found) => wanted && setOthers(found.milestones),
      () => {}, // those that were told are shown
    );
    return () => {
      wanted = false;
    };
  }, [chosen, full, winner]);
  return others;
}

function Title({ one }) {
  return html`<h3 title=${one.counter}>${ordinal(one.n)} of <a href=${`#/${one.counter}`}>${one.counter}</a></h3>`;
}

const SOON_S = 100 * 365 * 86_400;

/** When it will be reached at this pace. */
function whenOf({ rate_per_s: rate, projected_s: left }) {
  if (rate === undefined) return "";
  if (left === null) return "not moving";
  return `${left > SOON_S ? "not in a lifetime" : `in about ${duration(left)}`}, at ${perSecond(rate)} a second`;
}

function Open({ one }) {
  const reading = useStore((state) => state.readings[one.counter]);
  const value = reading && BigInt(reading.value) > BigInt(one.value) ? reading.value : one.value;
  const part = share(value, one.n);
  const left = distance(one.n, value);
  const near = one.state === "closing";
  return html`<div class=${`milestone ${one.state}`}>
    <div class="line"><span class="medal"><${Flag} /></span><${Title} one=${one} /></div>
    <div class="progress" role="progressbar" aria-label=${`To the ${ordinal(one.n)} of ${one.counter}`} aria-valuenow=${Math.floor(part * 100)} aria-valuemin="0" aria-valuemax="100">
      <i style=${{ "--part": part }}></i>
    </div>
    <p class="line note"><span><b>${count(left)}</b> to go</span><span class="space"></span><span>${whenOf(one)}</span></p>
    ${near && html`<p class="note"><span class="chip cp">phase cp</span>It is near: one judge reads every visit in the order of the log, to name exactly this one.</p>`}
  </div>`;
}

function Reached({ one }) {
  const { winner } = one;
  return html`<div class="milestone reached">
    <div class="line"><span class="medal"><${Trophy} /></span><${Title} one=${one} />
      ${winner.claimed
        ? html`<span class="chip good">claimed</span>`
        : html`<button onClick=${() => store.set({ dialog: { kind: "claim", counter: one.counter, n: one.n } })}>Claim</button>`}
    </div>
    <p class="winner">${winner.visitor ?? "a visitor whom nobody named"}</p>
    <${Proof} winner=${winner} />
  </div>`;
}

/** Where the winning visit is, and from what anyone can work out again that it is the one. */
export function Proof({ winner }) {
  const { proof } = winner;
  const facts = [
    ["When", `${new Date(winner.time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })}, by the log's clock`],
    ["Place in the log", `message ${count(winner.sequence)}, entry ${count(winner.index)}`],
    ["SHA-256 of the receipt", winner.receipt_sha256],
    ["Counted on from", `${count(proof.value)} at message ${count(proof.sequence)}${proof.epoch ? `, epoch ${count(proof.epoch)}` : ""}`],
    ["Through", `${count(proof.messages)} ${proof.messages === 1 ? "message" : "messages"} of the log`],
    ["Their SHA-256", proof.digest],
    ["Log made", proof.log],
  ];
  return html`<details class="proof">
    <summary>Proof</summary>
    <dl>${facts.map(([what, fact]) => html`<div><dt>${what}</dt><dd>${fact}</dd></div>`)}</dl>
  </details>`;
}
