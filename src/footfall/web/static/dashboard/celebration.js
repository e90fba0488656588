// The moment when a milestone is reached: said, shown, and with confetti for those who do not mind things that move.

import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import { Close, Trophy } from "./icons.js";
import { Proof } from "./milestones.js";
import { ordinal } from "./numbers.js";
import { store, useStore } from "./store.js";

const COLOURS = ["#6366f1", "#f59e0b", "#10b981", "#f43f5e", "#0ea5e9"];

export function Celebration() {
  const milestone = useStore((state) => state.winner);
  if (!milestone) return html`<div role="status"></div>`;
  const { counter, n, winner } = milestone;
  return html`<div role="status">
    <aside class="celebration" aria-label="Milestone reached" data-testid="celebration">
      <span class="medal large"><${Trophy} /></span>
      <div>
        <p class="eyebrow">The ${ordinal(n)} of ${counter}</p>
        <p class="winner">${winner.visitor ?? "A visitor whom nobody named"}</p>
        <${Proof} winner=${winner} />
      </div>
      <button class="round" aria-label="Close" onClick=${() => store.set({ winner: null })}><${Close} /></button>
    </aside>
    <${Confetti} key=${`${counter} ${n}`} />
  </div>`;
}

function Confetti() {
  const canvas = useRef();
  useEffect(() => {
    let shoot = null;
    const fire = async () => {
      const { create } = await import("../vendor/confetti.js");
      if (!canvas.current) return;
      shoot = create(canvas.current, { resize: true, useWorker: false, disableForReducedMotion: true });
      const burst = { colors: COLOURS, particleCount: 90, spread: 70, startVelocity: 50, ticks: 220 };
      shoot({ ...burst, angle: 60, origin: { x: 0, y: 0.7 } });
      shoot({ ...burst, angle: 120, origin: { x: 1, y: 0.7 } });
    };
    fire();
    return () => shoot?.reset();
  }, []);
  return html`<canvas class="confetti" aria-hidden="true" ref=${canvas}></canvas>`;
}
