// Draws the curve of a rate with uPlot, in the page's colours; knows nothing of where the points come from.

import uPlot from "../vendor/uplot.js";
import { compact, perSecond } from "./numbers.js";

const HEIGHT = 190;
const SPAN_MIN_S = 30;

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

const TIMES = [
  [60, { hour: "2-digit", minute: "2-digit", second: "2-digit" }],
  [86_400, { hour: "2-digit", minute: "2-digit" }],
  [Infinity, { day: "numeric", month: "short" }],
];

function times(ticks, step) {
  const [, style] = TIMES.find(([below]) => step < below);
  return ticks.map((at) => new Date(at * 1_000).toLocaleString("en-GB", style));
}

/** From when to when: the whole span, or as much of it as something is known of. */
function rangeOf(first, seconds) {
  const now = Date.now() / 1_000;
  return [now - Math.min(seconds, Math.max(SPAN_MIN_S, now - (first ?? now))), now];
}

function options(box, seconds, width) {
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
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { size: 8, fill: line, stroke: line } },
    scales: {
      x: { range: (plot) => rangeOf(plot.data[0][0], seconds) },
      y: { range: (_, least, most) => [0, Math.max(1, most * 1.12 || 0)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 32, space: 110, values: (_, ticks, __, ___, step) => times(ticks, step) },
      { ...axis, grid: { stroke: grid, width: 1 }, size: 52, space: 44, values: (_, ticks) => ticks.map(compact) },
    ],
    series: [{}, { stroke: line, width: 2, fill, points: { show: false }, paths: uPlot.paths.spline?.() }],
    hooks: { setCursor: [tell] },
  };
}

/** What is under the pointer, in a line of its own. */
function tell(plot) {
  const { idx } = plot.cursor;
  const rate = idx == null ? null : plot.data[1][idx];
  const said = plot.root.parentElement?.querySelector(".under");
  if (!said) return;
  const long = plot.scales.x.max - plot.scales.x.min > 2 * 86_400;
  const style = long ? { dateStyle: "medium", timeStyle: "short" } : { timeStyle: "medium" };
  said.textContent =
    rate == null ? "" : `${new Date(plot.data[0][idx] * 1_000).toLocaleString("en-GB", style)} · ${perSecond(rate)} a second`;
}

/** A chart in a box: `show(points)` draws; it follows the size of the box and the colours of the page. */
export function draw(box, seconds) {
  let plot = null;
  let points = [[], []];
  const under = document.createElement("span");
  under.className = "under";
  box.append(under);
  const make = () => {
    const width = box.clientWidth;
    plot?.destroy();
    plot = width ? new uPlot(options(box, seconds, width), points, box) : null;
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
