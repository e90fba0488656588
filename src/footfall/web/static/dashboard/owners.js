// Which node counts which partition: the colours of nodes, and what has moved; pure.

export const COLOURS = 8;

/** A node's class in style sheets; null is nobody, undefined nobody knows. */
export function colourOf(owners, id) {
  if (id === undefined) return "unknown";
  return id === null ? "none" : `owner-${owners.indexOf(id) % COLOURS}`;
}

/** A place for each node, which is its colour: it keeps its own, and who is new takes the first that nobody needs any more. */
export function placed(owners, needed) {
  const places = owners.map((id) => (needed.includes(id) ? id : null));
  for (const id of needed.filter((one) => !places.includes(one)).sort()) {
    const free = places.indexOf(null);
    places[free < 0 ? places.length : free] = id;
  }
  return places;
}

/** By partition who counts it, and who did before; a while in which nobody did is passed over. */
export function moved(known, entries) {
  const next = {};
  for (const { partition, owner } of entries) {
    const was = known[partition] ?? { owner, before: null };
    next[partition] = !owner || owner === was.owner ? was : { owner, before: was.owner };
  }
  return next;
}
