// Counts as exact numbers, and as text. A count may be larger than a number of JavaScript holds exactly: then it is a BigInt.

const WHOLE = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** Reads JSON; whole numbers beyond 2^53 become BigInts, where the browser tells their digits. */
export function parse(text) {
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? "")
      ? BigInt(context.source)
      : value,
  );
}

const narrow = (value) => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value);

export const sum = (values) => narrow(values.reduce((total, value) => total + BigInt(value), 0n));

/** What counters of a unit have together; those of visits and of visitors are never added up. */
export const together = (readings, unit) => sum(readings.filter((one) => one.unit === unit).map((one) => one.value));

/** How much is missing from `value` to `n`; 0 if nothing is. */
export const distance = (n, value) => narrow(BigInt(n) > BigInt(value) ? BigInt(n) - BigInt(value) : 0n);

export const share = (value, n) => Math.min(1, Number(value) / Number(n) || 0);

export const count = (value) => WHOLE.format(value);

export const compact = (value) => (Math.abs(Number(value)) < 10_000 ? WHOLE.format(value) : COMPACT.format(value));

/** What a node says, as a sentence. */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** "1st", "22nd", "113th". */
export function ordinal(n) {
  const digits = String(n);
  const teen = /1\d$/.test(digits);
  const ending = teen ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[digits.at(-1)] ?? "th");
  return `${count(n)}${ending}`;
}

/** Visits a second, with as many digits as matter. */
export function perSecond(rate) {
  if (rate >= 100) return count(Math.round(rate));
  return WHOLE.format(Number(rate.toFixed(rate >= 10 ? 1 : 2)));
}

const DURATIONS = [
  [86_400 * 365, "year", "years"],
  [86_400, "day", "days"],
  [3_600, "h", "h"],
  [60, "min", "min"],
  [1, "s", "s"],
];

const SPACE = "\u00a0"; // an amount and its unit stay in one line

/** "4 s", "3 min", "5 h", "12 days": one unit is enough for a person. */
export function duration(seconds) {
  const [size, one, many] = DURATIONS.find(([size]) => seconds >= size) ?? DURATIONS.at(-1);
  const amount = Math.floor(seconds / size);
  return amount > 9_999_999 ? "millions of years" : `${count(amount)}${SPACE}${amount === 1 ? one : many}`;
}

export const ago = (milliseconds) => (milliseconds < 1_000 ? `${milliseconds}${SPACE}ms` : duration(milliseconds / 1_000));

export function bytes(size) {
  const power = size < 1 ? 0 : Math.min(4, Math.floor(Math.log2(size) / 10));
  const amount = size / 2 ** (10 * power);
  return `${WHOLE.format(Number(amount.toFixed(amount < 10 && power ? 1 : 0)))}${SPACE}${["bytes", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** The digits of a whole number from 1 on as people write it, grouped by threes or not; nothing, if it is none. */
export function wholeNumber(text) {
  const written = text.trim();
  const grouped = /^\d{1,3}(?:([\s,._'\u2019])\d{3})(?:\1\d{3})*$/.test(written);
  const digits = grouped ? written.replace(/\D/g, "") : written;
  return /^[1-9]\d*$/.test(digits) ? digits : "";
}

/** [0, 1, 2, 5] is "0–2, 5". */
export function ranges(numbers) {
  const parts = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`)).join(", ");
}

const LISTED_MAX = 40; // characters

/** Which partitions, or how many if they are too many to be read. */
export function partitions(numbers) {
  const listed = ranges(numbers);
  return listed.length > LISTED_MAX ? `${count(numbers.length)} partitions` : listed;
}

/** What follows `value` as a milestone that people celebrate: the next 1, 2 or 5 with zeros. */
export function nextRound(value) {
  const digits = String(value).length;
  for (const [lead, zeros] of [[1, digits - 1], [2, digits - 1], [5, digits - 1], [1, digits]]) {
    const round = BigInt(lead) * 10n ** BigInt(zeros);
    if (round > BigInt(value)) return String(round);
  }
  return "";
}
