// The count: of the chosen counter, or of all together; and in words what it is worth.

import { html } from "../vendor/htm-preact.js";
import { ago, count, perSecond } from "./numbers.js";
import { Odometer } from "./odometer.js";
import { increase } from "./series.js";
import { allOf, valueOf } from "./session.js";
import { useStore } from "./store.js";

const RATE_OVER_S = 5;

export function Hero() {
  const chosen = useStore((state) => state.chosen);
  const value = useStore(valueOf);
  const reading = useStore((state) => (state.chosen ? state.readings[state.chosen] : null));
  return html`<section class="hero" aria-labelledby="counted">
    <${Path} name=${chosen} />
    ${value === null ? html`<p class="odometer waiting">–</p>` : html`<${Odometer} key=${chosen} value=${value} />`}
    <p class="pace"><${Pace} /></p>
    ${chosen ? reading && html`<${Worth} reading=${reading} />` : html`<${Whole} />`}
  </section>`;
}

function Whole() {
  const visitors = useStore((state) => allOf(state, "visitors"));
  const apart = visitors > 0 && html` And <b data-testid="visitors">${count(visitors)}</b> visitors, in those that count visitors.`;
  return html`<p class="worth">The visits of all counters at the top of the tree.${apart}</p>`;
}

function Path({ name }) {
  const parts = name ? name.split(".") : [];
  if (!name) return html`<h1 id="counted">All counters together</h1>`;
  const above = parts.slice(0, -1).map((part, depth) => [part, parts.slice(0, depth + 1).join(".")]);
  return html`<h1 id="counted">
    <a href="#/">All</a>
    ${above.map(([part, path]) => html`<span class="into">›</span><a href=${`#/${path}`}>${part}</a>`)}
    <span class="into">›</span><b>${parts.at(-1)}</b>
  </h1>`;
}

/** How fast it grows, over the last seconds; null as long as nobody can know. */
export function paceOf(samples) {
  if (samples.length < 2) return null;
  const last = samples.at(-1);
  const first = samples.find(([at]) => last[0] - at <= RATE_OVER_S + 0.5); // a timer may be late
  return last !== first ? increase(first[1], last[1]) / (last[0] - first[0]) : 0;
}

function Pace() {
  const pace = useStore((state) => paceOf(state.samples));
  return html`<span class=${`beat ${pace > 0 ? "on" : ""}`}></span><b data-testid="pace">${pace === null ? "–" : perSecond(pace)}</b> a second`;
}

function Worth({ reading }) {
  const { unit, phase, staleness_ms: stale, sequence } = reading;
  const stored = useStore(({ overview }) => overview?.log.connected && !overview.spool?.spooling);
  const pending = stored ? 0 : reading.pending; // otherwise each visit is for some milliseconds, which is no news
  const what = unit === "visitors" ? "Each distinct visitor is counted once." : "Every visit is counted.";
  const how =
    phase === "cp"
      ? `Consistent: a milestone is near, so one judge reads every visit in the order of the log. The count is exact at position ${count(sequence)} of it.`
      : `Available: any node answers from what it knows, ${stale ? `at most ${ago(stale)} old` : "up to this moment"}.`;
  return html`<div class="worth">
    <span class="chip" title=${what}>${unit}</span>
    <span class=${`chip phase ${phase}`} data-testid="phase" title=${how}>
      phase ${phase} · ${phase === "cp" ? "consistent" : "available"}
    </span>
    ${pending > 0 && html`<span class="chip">${count(pending)} pending</span>`}
    <p>${what} ${how}${pending > 0 && " What is pending this node has taken, and counts when it is in the log."}</p>
  </div>`;
}
