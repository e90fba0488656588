// Who counts, and where it is kept: the nodes, the log, the engine and the spool.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { nodeTime } from "./clock.js";
import { ago, bytes, count, duration, partitions } from "./numbers.js";
import { colourOf } from "./owners.js";
import { useStore } from "./store.js";

const LAG_FINE_MS = 1_000;

export function Nodes() {
  const nodes = useStore((state) => state.overview.nodes);
  const topology = useStore((state) => state.overview.topology);
  const gone = useStore((state) => state.gone);
  const owners = useStore((state) => state.owners);
  return html`<section class="card nodes" aria-labelledby="nodes">
    <div class="head"><h2 id="nodes">Nodes</h2><p class="note">${topology}</p></div>
    ${nodes.length === 0 && html`<p class="hint">Nodes are shown to those who have a token.</p>`}
    ${nodes.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-labelledby="nodes"><table>
      <thead><tr><th scope="col">Node</th><th scope="col">Partitions</th><th scope="col">Lag</th><th scope="col">Heard</th></tr></thead>
      <tbody>
        ${nodes.map((node) => html`<tr key=${node.id} data-node=${node.id}>
          <th scope="row"><${Name} id=${node.id} owners=${owners}>${node.id}${node.self && html` <span class="note">this one</span>`}</${Name}></th>
          <td>${partitions(node.partitions) || "none"}</td>
          <td class=${node.lag_ms > LAG_FINE_MS ? "bad" : ""}>${node.lag_ms ? ago(node.lag_ms) : "none"}</td>
          <td>${node.self ? "always" : `${ago(node.heard_ms_ago)} ago`}</td>
        </tr>`)}
        ${Object.values(gone).map(({ node, since }) => html`<${Gone} key=${node.id} node=${node} since=${since} owners=${owners} />`)}
      </tbody>
    </table></div>`}
  </section>`;
}

function Name({ id, owners, children }) {
  return html`<div class="name"><i class=${`swatch ${colourOf(owners, id)}`}></i><span>${children}</span></div>`;
}

function Gone({ node, since, owners }) {
  const now = useClock();
  return html`<tr class="gone" data-node=${node.id}>
    <th scope="row"><${Name} id=${node.id} owners=${owners}><s>${node.id}</s></${Name}></th>
    <td colspan="2" class="bad">not heard any more</td>
    <td>${duration(Math.max(1, (now - since) / 1_000))} ago</td>
  </tr>`;
}

function useClock() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function Log() {
  const { log, spool, sequence, version, started } = useStore((state) => state.overview);
  useClock();
  const servers = log.servers.length || log.replicas;
  const kind = log.embedded ? "its own NATS server" : `${servers} NATS ${servers === 1 ? "server" : "servers"}`;
  return html`<section class="card log" aria-labelledby="log">
    <div class="head"><h2 id="log">Log</h2><span class=${`chip ${log.connected ? "good" : "bad"}`}>${log.connected ? "connected" : "away"}</span></div>
    <dl>
      <div><dt>Engine</dt><dd>${kind}${log.replicas > 1 ? `, ${log.replicas} replicas` : ""}</dd></div>
      <div><dt>Position</dt><dd>${count(sequence)}</dd></div>
      <div><dt>Messages</dt><dd>${count(log.messages)}</dd></div>
      <div><dt>Size</dt><dd>${size(log.bytes, log.bytes_max)}${log.bytes_max > 0 && html`<${Full} part=${log.bytes / log.bytes_max} />`}</dd></div>
      <div><dt>Spool</dt><dd>${spooled(spool)}</dd></div>
      <div><dt>Footfall</dt><dd>${version}, up ${duration(Math.max(1, nodeTime() - started))}</dd></div>
    </dl>
  </section>`;
}

function Full({ part }) {
  return html`<div class="progress" role="img" aria-label=${`The log is ${Math.round(100 * part)} % full`}>
    <i style=${{ "--part": Math.min(1, part) }}></i>
  </div>`;
}

const size = (used, most) => (most > 0 ? `${bytes(used)} of ${bytes(most)}` : bytes(used));

function spooled(spool) {
  if (!spool) return "none";
  if (!spool.visits) return spool.spooling ? "in use" : "empty";
  return `${count(spool.visits)} visits, ${size(spool.bytes, spool.bytes_max)}, ${duration(spool.age_s)} old`;
}
