// What time it is for the node. Its samples and its start are told in its time, and this browser's clock may be another.

const FINE_MS = 5_000; // a header tells whole seconds, and an answer takes its time

let aheadMs = 0;

/** Take over the time of an answer's header. */
export function setClock(date) {
  const off = Date.parse(date) - Date.now();
  aheadMs = Math.abs(off) > FINE_MS ? off : 0;
}

/** Seconds since 1970. */
export const nodeTime = () => (Date.now() + aheadMs) / 1_000;
