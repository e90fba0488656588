// The dashboard: puts its parts together. Each part is drawn from what the store knows, and asks the session to do things.

import { html, render } from "../vendor/htm-preact.js";
import { Banner, Header } from "./header.js";
import { Celebration } from "./celebration.js";
import { follow } from "./counters.js";
import { Dialogs } from "./dialogs.js";
import { Hero } from "./hero.js";
import { Log, Nodes } from "./health.js";
import { Milestones } from "./milestones.js";
import { Partitions } from "./partitions.js";
import { Rate } from "./rate.js";
import { start } from "./session.js";
import { useStore } from "./store.js";
import { Tree } from "./tree.js";
import { Welcome } from "./welcome.js";

function Page() {
  const live = useStore((state) => state.link.state === "live");
  const known = useStore((state) => state.overview !== null);
  const empty = useStore((state) => state.overview?.counters === 0);
  const said = useStore((state) => state.said);
  return html`
    <a class="skip" href="#main">Skip to the count</a>
    <${Header} />
    <${Banner} />
    <div class="hidden" role="status" aria-live="polite">${said}</div>
    <div class=${`page ${live ? "" : "old"} ${empty ? "empty" : ""}`}>
      ${!empty && html`<${Tree} />`}
      <main id="main" tabindex="-1">
        ${empty ? html`<${Welcome} />` : html`<${Hero} /><${Rate} />`}
        <div class="cards">
          <div class="stack">${known && html`<${Milestones} /><${Log} />`}</div>
          <div class="stack"><${Partitions} />${known && html`<${Nodes} />`}</div>
        </div>
      </main>
    </div>
    <${Celebration} />
    <${Dialogs} />
  `;
}

const page = document.getElementById("page");
page.replaceChildren();
render(html`<${Page} />`, page);
start();
follow();
