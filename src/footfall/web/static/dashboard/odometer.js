// A count whose digits roll, as those of a mechanical counter. Each digit is a wheel; a frame moves all that are not yet
// where they should be. It is drawn by hand, not by preact: sixty times a second, and nothing else on the page changes.

import { html, useLayoutEffect, useRef } from "../vendor/htm-preact.js";
import { count } from "./numbers.js";

const SETTLE_S = 0.14; // how fast a wheel comes to rest
const TURN_MAX = 20; // positions that a wheel rolls at most, however much was counted
const FACES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0];

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** How far a wheel turns when what it has counted goes from one number to another: to the right digit, in two turns at most. */
export function turn(before, after) {
  const steps = BigInt(after) - BigInt(before);
  if (steps < 0n) return Number(((steps % 10n) + 10n) % 10n);
  return Number(steps > TURN_MAX ? 10n + (steps % 10n) : steps);
}

class Wheel {
  constructor() {
    this.element = document.createElement("span");
    this.element.className = "wheel";
    this.strip = document.createElement("span");
    this.strip.append(
      ...FACES.map((face) => {
        const line = document.createElement("span");
        line.textContent = face;
        return line;
      }),
    );
    this.element.append(this.strip);
    this.counted = 0n; // tens, hundreds, …: how often it was moved on in all
    this.at = 0;
    this.to = 0;
  }

  aim(counted) {
    this.to += turn(this.counted, counted);
    while (this.to - this.at > TURN_MAX) this.at += 10;
    this.counted = counted;
  }

  /** Move on; returns whether it is still moving. */
  move(seconds) {
    const left = this.to - this.at;
    this.at = calm.matches || left < 0.004 ? this.to : this.at + left * (1 - Math.exp(-seconds / SETTLE_S));
    const still = this.at === this.to;
    if (still) this.at = this.to = this.to % 10;
    this.strip.style.transform = `translateY(${-(this.at % 10) / FACES.length * 100}%)`;
    return !still;
  }
}

class Wheels {
  constructor(box) {
    this.box = box;
    this.wheels = []; // units first
    this.frame = 0;
    this.before = 0;
  }

  show(value) {
    const text = count(value);
    this.box.style.setProperty("--places", text.length);
    const digits = text.replace(/\D/g, "").length;
    if (this.wheels.length !== digits) this.build(text, digits);
    let counted = BigInt(value);
    for (const wheel of this.wheels) {
      wheel.aim(counted);
      counted /= 10n;
    }
    if (!this.frame) {
      this.before = performance.now();
      this.frame = requestAnimationFrame((now) => this.move(now));
    }
  }

  build(text, digits) {
    while (this.wheels.length < digits) this.wheels.push(new Wheel());
    this.wheels.length = digits;
    let left = digits;
    const parts = [...text].map((sign) => {
      if (/\d/.test(sign)) return this.wheels[--left].element;
      const gap = document.createElement("span");
      gap.className = "gap";
      gap.textContent = sign;
      return gap;
    });
    this.box.replaceChildren(...parts);
  }

  move(now) {
    const seconds = Math.min(0.1, (now - this.before) / 1_000);
    this.before = now;
    const moving = this.wheels.map((wheel) => wheel.move(seconds)).some(Boolean);
    this.frame = moving ? requestAnimationFrame((next) => this.move(next)) : 0;
  }

  stop() {
    cancelAnimationFrame(this.frame);
  }
}

/** The count; screen readers get it as plain text. */
export function Odometer({ value }) {
  const box = useRef();
  const wheels = useRef();
  useLayoutEffect(() => {
    wheels.current = new Wheels(box.current);
    return () => wheels.current.stop();
  }, []);
  useLayoutEffect(() => wheels.current.show(value), [value]);
  return html`<p class="odometer">
    <span class="hidden" data-testid="count">${count(value)}</span>
    <span class="wheels" aria-hidden="true" ref=${box}></span>
  </p>`;
}
