// A counter's vector: one entry for each partition of the log, in the colour of the node that counts it.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { ask, path } from "./api.js";
import { compact, count, partitions, sum } from "./numbers.js";
import { colourOf, COLOURS, moved } from "./owners.js";
import { useStore } from "./store.js";

const LOOK_MS = 1_000;
const LABELS_MAX = 32;
const APART_MAX = 64; // with more there is no space between columns

export function Partitions() {
  const chosen = useStore((state) => state.chosen);
  const entries = useEntries(chosen);
  const owners = useStore((state) => state.owners);
  const told = useStore((state) => state.overview?.nodes.length > 0);
  if (!entries) return null;
  const most = Math.max(1, ...entries.map((entry) => Number(entry.value ?? 1)));
  const shown = told ? entries : entries.map((entry) => ({ ...entry, owner: undefined }));
  const dense = entries.length > APART_MAX ? "thin solid" : entries.length > LABELS_MAX ? "thin" : "";
  return html`<section class="card partitions" aria-labelledby="partitions">
    <div class="head">
      <h2 id="partitions">${chosen ? "Vector" : "Partitions"}</h2>
      <p class="note">${chosen ? "the count, in one entry for each partition of the log" : "who counts which part of the log"}</p>
    </div>
    <ol class=${`bars ${dense}`} start="0">
      ${shown.map((entry) => html`<${Bar} key=${entry.partition} entry=${entry} most=${most} owners=${owners} />`)}
    </ol>
    ${told ? html`<${Owners} entries=${shown} owners=${owners} />` : html`<p class="hint">Which node counts which partition is shown to those who have a token.</p>`}
    ${chosen && html`<${Numbers} entries=${shown} owners=${owners} told=${told} />`}
  </section>`;
}

function Bar({ entry, most, owners }) {
  const { partition, value, owner } = entry;
  const who = owner ? `counted by ${owner}` : owner === null ? "counted by nobody" : "";
  const said = [`Partition ${partition}`, value === null ? "" : count(value), who].filter(Boolean).join(", ");
  const height = value === null ? 1 : Number(value) / most;
  return html`<li title=${said}>
    <span class="hidden">${said}</span>
    <span class="column" aria-hidden="true"><i class=${colourOf(owners, owner)} style=${{ "--part": height }}></i></span>
    <span class="number" aria-hidden="true">${partition}</span>
    <span class="entry" aria-hidden="true">${value === null ? "" : compact(value)}</span>
  </li>`;
}

function Owners({ entries, owners }) {
  const of = (id) => entries.filter((entry) => entry.owner === id).map((entry) => entry.partition);
  const ids = [...owners.filter((id) => id !== null), null].filter((id) => of(id).length);
  if (ids.length > COLOURS) return html`<p class="hint">Counted by ${count(ids.length)} nodes, in ${COLOURS} colours: the list of nodes tells who counts what.</p>`;
  return html`<ul class="owners" aria-label="Owners">
    ${ids.map((id) => html`<li key=${id}><i class=${`swatch ${colourOf(owners, id)}`}></i><b>${id ?? "nobody"}</b> ${partitions(of(id))}</li>`)}
  </ul>`;
}

/** The vector in numbers: a pointer finds them at the bars, fingers and keyboards here. */
function Numbers({ entries, owners, told }) {
  const known = useRef({});
  known.current = moved(known.current, entries);
  const row = ({ partition, value, owner }) => {
    const { before } = known.current[partition];
    return html`<tr key=${partition}>
      <th scope="row">${partition}</th>
      ${told && html`<td class="who"><i class=${`swatch ${colourOf(owners, owner)}`}></i>${owner ?? "nobody"}${before && html` <span class="note">before: ${before}</span>`}</td>`}
      <td class="figure">${value === null ? "" : count(value)}</td>
    </tr>`;
  };
  const total = entries.some(({ value }) => value === null) ? "" : count(sum(entries.map(({ value }) => value)));
  return html`<details class="numbers">
    <summary>Numbers</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="The vector in numbers"><table>
      <thead><tr><th scope="col">Partition</th>${told && html`<th scope="col">Counted by</th>`}<th scope="col" class="figure">Entry</th></tr></thead>
      <tbody>${entries.map(row)}</tbody>
      <tfoot><tr><th scope="row" colspan=${told ? 2 : 1}>Together</th><td class="figure">${total}</td></tr></tfoot>
    </table></div>
  </details>`;
}

/** The entries of the chosen counter; of all together, only who owns which. */
function useEntries(chosen) {
  const [found, setFound] = useState({ name: "", entries: [] });
  const live = useStore((state) => state.link.state === "live");
  const overview = useStore((state) => state.overview);
  useEffect(() => {
    if (!chosen || !live) return undefined;
    let wanted = true;
    const look = async () => {
      if (document.hidden) return;
      const vector = await ask("GET", path("counters", chosen, "vector")).catch(() => null);
      if (wanted && vector) setFound({ name: chosen, entries: vector.entries });
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [chosen, live]);
  if (chosen) return found.name === chosen ? found.entries : null;
  if (!overview) return null;
  return Array.from({ length: overview.partitions }, (_, partition) => ({
    partition,
    value: null,
    owner: overview.nodes.find((node) => node.partitions.includes(partition))?.id ?? null,
  }));
}
