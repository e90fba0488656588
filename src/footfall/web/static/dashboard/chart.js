// Draws the curve of a rate with uPlot, in the page's colours; knows nothing of where the points come from.

import "./language.js"; // before uPlot
import uPlot from "../vendor/uplot.js";
import { nodeTime } from "./clock.js";
import { compact, perSecond } from "./numbers.js";

const HEIGHT = 190;
const LIVE_MIN_S = 30;
const DAY_S = 86_400;

/** A colour of the page, as a canvas takes it. */
function colour(name, box) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const faded = (rgb, alpha) => rgb.replace(/^rgb\(([^)]*)\)$/, (_, parts) => `rgba(${parts}, ${alpha})`);

const CLOCK = { hour: "2-digit", minute: "2-digit" };

/** How a time on the axis is written, so that it says which it is: by what is between two marks, and over what span. */
export function styleOf(step, seconds) {
  if (step < 60) return { ...CLOCK, second: "2-digit" };
  if (step < DAY_S) return seconds > DAY_S ? { weekday: "short", ...CLOCK } : CLOCK;
  return step < 28 * DAY_S ? { day: "numeric", month: "short" } : { month: "short", year: "numeric" };
}

const times = (ticks, style) => ticks.map((at) => new Date(at * 1_000).toLocaleString("en-GB", style));

/** From when to when: the whole span; but of a live one, as much as something is known of. */
export function rangeOf(first, seconds, live, now = nodeTime()) {
  return [now - (live ? Math.min(seconds, Math.max(LIVE_MIN_S, now - (first ?? now))) : seconds), now];
}

function options(box, { seconds, live }, width) {
  const [ink, line, grid] = ["--muted", "--accent", "--hairline"].map((name) => colour(name, box));
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: ink, font, ticks: { show: false } };
  const fill = (plot) => {
    const { top, height } = plot.bbox;
    const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
    gradient.addColorStop(0, faded(line, 0.28));
    gradient.addColorStop(1, faded(line, 0));
    return gradient;
  };
  return {
    width,
    height: HEIGHT,
    padding: [10, 32, 0, 0], // half of the last time stands beyond the curve
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { size: 8, fill: line, stroke: line } },
    scales: {
      x: { range: (plot) => rangeOf(plot.data[0][0], seconds, live) },
      y: { range: (_, least, most) => [0, Math.max(1, most * 1.12 || 0)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 32, space: 110, values: (_, ticks, __, ___, step) => times(ticks, styleOf(step, seconds)) },
      { ...axis, grid: { stroke: grid, width: 1 }, size: 52, space: 44, values: ({ data }, ticks) => (data[0].length ? ticks.map(compact) : []) },
    ],
    series: [{}, { stroke: line, width: 2, fill, points: { show: ({ data }) => data[0].length < 2, size: 7, fill: line }, paths: uPlot.paths.spline?.() }],
    hooks: { setCursor: [tell] },
  };
}

/** What is under the pointer, in a line of its own. */
function tell(plot) {
  const { idx } = plot.cursor;
  const rate = idx == null ? null : plot.data[1][idx];
  const said = plot.root.parentElement?.querySelector(".under");
  if (!said) return;
  const long = plot.scales.x.max - plot.scales.x.min > DAY_S / 2;
  const style = long ? { dateStyle: "medium", timeStyle: "short" } : { timeStyle: "medium" };
  said.textContent =
    rate == null ? "" : `${new Date(plot.data[0][idx] * 1_000).toLocaleString("en-GB", style)} · ${perSecond(rate)} a second`;
}

/** A chart of a span in a box: `show(points)` draws; it follows the size of the box and the colours of the page. */
export function draw(box, span) {
  let plot = null;
  let points = [[], []];
  const under = document.createElement("span");
  under.className = "under";
  box.append(under);
  const make = () => {
    const width = box.clientWidth;
    plot?.destroy();
    plot = width ? new uPlot(options(box, span, width), points, box) : null;
  };
  const resized = new ResizeObserver(() => (plot ? plot.setSize({ width: box.clientWidth, height: HEIGHT }) : make()));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  resized.observe(box);
  dark.addEventListener("change", make);
  document.addEventListener("footfall:theme", make);
  make();
  return {
    show(next) {
      points = next;
      plot?.setData(points);
    },
    destroy() {
      resized.disconnect();
      dark.removeEventListener("change", make);
      document.removeEventListener("footfall:theme", make);
      plot?.destroy();
      under.remove();
    },
  };
}
