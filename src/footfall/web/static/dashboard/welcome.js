// What a fresh node shows: how to count the first visit.

import { html, useState } from "../vendor/htm-preact.js";
import { token } from "./api.js";

const here = location.origin;
const WAYS = {
  Shell: () => `curl -X POST ${here}/v1/counters/shop/visits${token.get() ? ' \\\n  -H "Authorization: Bearer $FOOTFALL_TOKEN"' : ""}`,
  Python: () => `import footfall

visits = footfall.Counter("shop", url="${here}")
visits.increment()
visits.flush()`,
  "Web page": () => `<script defer src="${here}/count.js" data-counter="shop"></script>`,
  "Access log": () => `footfall ingest access.log --counter shop \\
  --url ${here}`,
};

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    return "Select it to copy"; // over plain HTTP there is no clipboard
  }
}

export function Welcome() {
  const [way, setWay] = useState("Shell");
  const [copied, setCopied] = useState("");
  const lines = WAYS[way]();
  const copy = async () => {
    setCopied(await toClipboard(lines));
    setTimeout(() => setCopied(""), 2_000);
  };
  return html`<section class="welcome" aria-labelledby="welcome">
    <p class="odometer" aria-hidden="true">0</p>
    <h1 id="welcome">Count the first visit</h1>
    <p>This node is ready, and has counted nothing yet. The first visit makes its counter.</p>
    <div class="card">
      <div class="head">
        <div class="tabs" role="group" aria-label="Ways to count">
          ${Object.keys(WAYS).map((name) => html`<button aria-pressed=${String(name === way)} onClick=${() => setWay(name)}>${name}</button>`)}
        </div>
        <span class="space"></span>
        <span role="status" class="note">${copied}</span>
        <button onClick=${copy}>Copy</button>
      </div>
      <pre tabindex="0" aria-label="Lines to copy"><code>${lines}</code></pre>
    </div>
    ${way === "Web page" && html`<p class="note">Start the node with <code>--public-writes shop</code>, if it has tokens: a visitor's browser has none.</p>`}
  </section>`;
}
