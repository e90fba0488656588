// A counter's vector: one entry for each partition of the log, in the colour of the node that counts it.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { ask, path } from "./api.js";
import { compact, count, ranges } from "./numbers.js";
import { useStore } from "./store.js";

const LOOK_MS = 1_000;
const LABELS_MAX = 32;

export const colourOf = (owners, id) => (id == null ? "none" : `owner-${owners.indexOf(id) % 8}`);

export function Partitions() {
  const chosen = useStore((state) => state.chosen);
  const entries = useEntries(chosen);
  const owners = useStore((state) => state.owners);
  if (!entries) return null;
  const most = Math.max(1, ...entries.map((entry) => Number(entry.value ?? 1)));
  const told = owners.length > 0;
  return html`<section class="card partitions" aria-labelledby="partitions">
    <div class="head">
      <h2 id="partitions">${chosen ? "Vector" : "Partitions"}</h2>
      <p class="note">${chosen ? "one entry for each partition of the log" : "who counts which part of the log"}</p>
    </div>
    <ol class=${`bars ${entries.length > LABELS_MAX ? "thin" : ""}`} start="0">
      ${entries.map((entry) => html`<${Bar} key=${entry.partition} entry=${entry} most=${most} owners=${owners} told=${told} />`)}
    </ol>
    ${told ? html`<${Owners} entries=${entries} owners=${owners} />` : html`<p class="hint">Which node counts which partition is shown to those who have a token.</p>`}
  </section>`;
}

function Bar({ entry, most, owners, told }) {
  const { partition, value, owner } = entry;
  const who = owner ? `counted by ${owner}` : told ? "counted by nobody" : "";
  const said = [`Partition ${partition}`, value === null ? "" : count(value), who].filter(Boolean).join(", ");
  const height = value === null ? 1 : Number(value) / most;
  return html`<li title=${said}>
    <span class="hidden">${said}</span>
    <span class="column" aria-hidden="true"><i class=${told ? colourOf(owners, owner) : "owner-0"} style=${{ "--part": height }}></i></span>
    <span class="number" aria-hidden="true">${partition}</span>
    <span class="entry" aria-hidden="true">${value === null ? "" : compact(value)}</span>
  </li>`;
}

function Owners({ entries, owners }) {
  const of = (id) => entries.filter((entry) => entry.owner === id).map((entry) => entry.partition);
  const ids = [...owners, null].filter((id) => of(id).length);
  return html`<ul class="owners" aria-label="Owners">
    ${ids.map((id) => html`<li key=${id}><i class=${`swatch ${colourOf(owners, id)}`}></i><b>${id ?? "nobody"}</b> ${ranges(of(id))}</li>`)}
  </ul>`;
}

/** The entries of the chosen counter; of all together, only who owns which. */
function useEntries(chosen) {
  const [found, setFound] = useState(null);
  const live = useStore((state) => state.link.state === "live");
  const overview = useStore((state) => state.overview);
  useEffect(() => setFound(null), [chosen]);
  useEffect(() => {
    if (!chosen || !live) return undefined;
    let wanted = true;
    const look = async () => {
      if (document.hidden) return;
      const vector = await ask("GET", path("counters", chosen, "vector")).catch(() => null);
      if (wanted && vector) setFound(vector.entries);
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [chosen, live]);
  if (chosen) return found;
  if (!overview) return null;
  return Array.from({ length: overview.partitions }, (_, partition) => ({
    partition,
    value: null,
    owner: overview.nodes.find((node) => node.partitions.includes(partition))?.id ?? null,
  }));
}
