// How fast a counter grows: the last minutes as they happen, or a past that the node kept.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.js";
import { ask, path } from "./api.js";
import { nodeTime } from "./clock.js";
import { draw } from "./chart.js";
import { perSecond } from "./numbers.js";
import { binned, ratesOf } from "./series.js";
import { useStore } from "./store.js";

const LIVE_S = 120;
const SMOOTHED = 3; // seconds: visits come in batches, and the browser's timers are not exact
const REFRESH_MS = 10_000;
const ADDED_MAX = 20; // histories that are fetched and added up
const SPANS = {
  live: { label: "Live", live: true, seconds: LIVE_S, bin: 1, every: "second", said: "the last two minutes" },
  hour: { label: "Hour", seconds: 3_600, bin: 10, every: "ten seconds", said: "the last hour" },
  day: { label: "Day", seconds: 86_400, bin: 300, every: "ten seconds", said: "the last day" },
  week: { label: "Week", seconds: 7 * 86_400, bin: 3_600, every: "hour", said: "the last week" },
  year: { label: "Year", seconds: 365 * 86_400, bin: 86_400, every: "hour", said: "the last year" },
};

export function Rate() {
  const [span, setSpan] = useState("live");
  const chosen = useStore((state) => state.chosen);
  const [past, failed] = useHistory(span === "live" ? "hour" : span);
  const points = usePoints(span, past);
  const rates = points[1].filter((rate) => rate !== null);
  const now = rates.at(-1) ?? 0;
  const most = Math.max(0, ...rates);
  const begin = span !== "live" && beginOf(past, SPANS[span]);
  const said = `Visits a second over ${SPANS[span].said}: ${perSecond(now)} now, ${perSecond(most)} at most.`;
  return html`<section class="card rate" aria-labelledby="rate">
    <div class="head">
      <h2 id="rate">Rate</h2>
      <p class="note">${most > 0 ? html`at most <b>${perSecond(most)}</b> a second` : ""}</p>
      <span class="space"></span>
      <div class="tabs" role="group" aria-label="Span of time">
        ${Object.entries(SPANS).map(
          ([key, { label }]) => html`<button aria-pressed=${String(span === key)} onClick=${() => setSpan(key)}>${label}</button>`,
        )}
      </div>
    </div>
    <div class="plot">
      <${Chart} key=${chosen + span} points=${points} span=${SPANS[span]} said=${said} />
      ${rates.length === 0 && html`<p class="hint">${failed || whyNone(past, SPANS[span])}</p>`}
    </div>
    ${begin && rates.length > 0 && html`<p class="hint">Kept since ${begin}.</p>`}
  </section>`;
}

function whyNone(histories, { live, every }) {
  if (live || histories.some(({ points }) => points.length)) return `The curve begins with the second sample. There is one every ${every}.`;
  return `No sample is kept yet. A node takes one every ${every}, of its first counters: those at the top of the tree before others.`;
}

/** When what is kept of a span begins, in words; nothing, if that is before the span does. */
function beginOf(histories, { seconds, bin }) {
  const first = Math.min(...histories.map(({ points }) => points[0]?.[0] ?? Infinity));
  const since = nodeTime() - first;
  if (!(since > 0 && since < seconds - 2 * bin)) return "";
  return new Date(first * 1_000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** What the node kept: [seconds, value] of each counter that is shown, added up where several are. */
function useHistory(span) {
  const chosen = useStore((state) => state.chosen);
  const roots = useStore((state) => state.roots);
  const live = useStore((state) => state.link.state === "live");
  const visitors = useStore(({ readings }) => (roots ?? []).filter((name) => readings[name]?.unit === "visitors").join(" "));
  const visits = roots?.filter((name) => !visitors.split(" ").includes(name));
  const names = chosen ? [chosen] : visits?.length <= ADDED_MAX ? visits : null;
  const [state, setState] = useState([[], ""]);
  const key = `${span} ${names?.join(" ")}`;
  useEffect(() => {
    let wanted = true;
    if (!names) {
      setState([[], roots ? "Choose a counter to see its past: these are too many to add up." : ""]);
      return undefined;
    }
    const fetchAll = async () => {
      try {
        const found = await Promise.all(names.map((name) => ask("GET", `${path("counters", name, "history")}?span=${span}`)));
        if (wanted) setState([found, ""]);
      } catch (error) {
        if (wanted) setState([[], error.message]);
      }
    };
    if (live) fetchAll();
    const timer = setInterval(() => live && fetchAll(), REFRESH_MS);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [key, live]);
  return state;
}

function usePoints(span, past) {
  const samples = useStore((state) => state.samples);
  const now = nodeTime();
  const { seconds, bin } = SPANS[span];
  const kept = useMemo(() => ratesOf(past), [past]);
  if (span !== "live") return binned(kept, now - seconds, now, bin);
  const begin = samples.length ? samples[0][0] : now;
  const before = kept.filter(([at]) => at > now - seconds - 10 && at <= begin);
  const [times, rates] = binned([...before, ...ratesOf([{ points: samples }], SMOOTHED)], now - seconds - 10, now, 1);
  return [times, rates];
}

function Chart({ points, span, said }) {
  const box = useRef();
  const chart = useRef();
  useEffect(() => {
    chart.current = draw(box.current, span);
    return () => chart.current.destroy();
  }, []);
  useEffect(() => chart.current.show(points));
  return html`<div class="chart" role="img" aria-label=${said} ref=${box}></div>`;
}
