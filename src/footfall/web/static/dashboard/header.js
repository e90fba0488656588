// The top of the page: whose page it is, whether it is connected, colours and token; and below it what is wrong.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { token } from "./api.js";
import { Key, Mark, Moon, Sun } from "./icons.js";
import { sentence } from "./numbers.js";
import { askForToken, retry } from "./session.js";
import { store, useStore } from "./store.js";

const STATES = { live: "Live", connecting: "Connecting", waiting: "Disconnected", refused: "Not allowed" };

export function Header() {
  const { state } = useStore((all) => all.link);
  const node = useStore((all) => all.overview?.node);
  const version = useStore((all) => all.overview?.version);
  return html`<header class="bar">
    <a class="brand" href="#/"><span class="mark"><${Mark} /></span>Footfall</a>
    <span class=${`link ${state}`}><span class="dot"></span>${STATES[state]}</span>
    ${node && html`<span class="where" title=${`This page is served by node ${node}, Footfall ${version}`}>${node}</span>`}
    <span class="space"></span>
    <${TokenButton} />
    <${ThemeButton} />
  </header>`;
}

function TokenButton() {
  useStore((all) => all.dialog); // a token may have been given
  const refused = useStore((all) => all.link.state === "refused");
  const hidden = useStore((all) => all.overview?.nodes.length === 0);
  if (!token.get() && !refused && !hidden) return null;
  return html`<button class="round" onClick=${() => store.set({ dialog: { kind: "token", wrong: "" } })} aria-label="Token">
    <${Key} />
  </button>`;
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";

function ThemeButton() {
  const [dark, setDark] = useState(isDark());
  useEffect(() => {
    const look = () => setDark(isDark());
    prefersDark.addEventListener("change", look);
    return () => prefersDark.removeEventListener("change", look);
  }, []);
  const turn = () => {
    const theme = dark ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("footfall-theme", theme);
    } catch {
      // no storage: it holds for this visit
    }
    setDark(!dark);
    document.dispatchEvent(new Event("footfall:theme"));
  };
  const label = dark ? "Use light colours" : "Use dark colours";
  return html`<button class="round" onClick=${turn} aria-label=${label} title=${label}><${dark ? Sun : Moon} /></button>`;
}

/** What a person should know at once, the worst first. */
export function Banner() {
  const link = useStore((all) => all.link);
  const problems = useStore((all) => all.overview?.problems);
  const warnings = useStore((all) => all.overview?.warnings);
  if (link.state === "waiting") return html`<${Waiting} until=${link.retryAt} reason=${link.reason} />`;
  if (link.state === "refused") {
    return html`<div class="banner bad" data-testid="banner">
      <p><strong>Not shown.</strong> ${link.reason}</p>
      <button onClick=${() => askForToken({ withToken: false })}>Give a token</button>
    </div>`;
  }
  return html`${problems?.map((text) => html`<div class="banner bad" role="alert" key=${text}><p>${sentence(text)}</p></div>`)}
  ${warnings?.map((text) => html`<div class="banner warn" key=${text}><p>${sentence(text)}</p></div>`)}`;
}

function Waiting({ until, reason }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((until - now) / 1_000));
  return html`<div class="banner bad" data-testid="banner">
    <p><strong>Disconnected.</strong> ${reason && `The node says: ${reason}`} What you see is old. Trying again ${seconds ? `in ${seconds} s` : "now"}.</p>
    <button onClick=${retry}>Try now</button>
  </div>`;
}
