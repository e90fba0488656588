// From values at times to rates over times; pure.

/** How much larger a count is; 0 if it is not. */
export function increase(before, after) {
  const more = BigInt(after) - BigInt(before);
  return more > 0n ? Number(more) : 0;
}

/**
 * Visits a second between the samples of histories, added up: [[seconds, rate], …], each at the end of its interval.
 * Where samples are missing the visits are spread over the gap, as nobody knows when they came. `over` says how many
 * intervals back each rate reaches: with more the curve is calmer.
 */
export function ratesOf(histories, over = 1) {
  const total = new Map();
  for (const { points } of histories) {
    for (let index = 1; index < points.length; index++) {
      const [[from, before], [to, after]] = [points[Math.max(0, index - over)], points[index]];
      if (to <= from) continue;
      const at = Math.round(to);
      total.set(at, (total.get(at) ?? 0) + increase(before, after) / (to - from));
    }
  }
  return [...total].sort(([one], [other]) => one - other);
}

/** Rates as the two lists that the chart takes: the mean of each bin that has any, null once where bins are missing. */
export function binned(rates, from, to, width) {
  const bins = new Map();
  for (const [at, rate] of rates) {
    if (at < from || at > to) continue;
    const bin = Math.floor(at / width) * width;
    const [sum, many] = bins.get(bin) ?? [0, 0];
    bins.set(bin, [sum + rate, many + 1]);
  }
  const times = [];
  const means = [];
  for (const [at, [sum, many]] of [...bins].sort(([one], [other]) => one - other)) {
    times.push(at);
    means.push(sum / many);
  }
  return [times, means];
}
