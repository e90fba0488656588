// The few pictures, as lines in the colour of the text around them. What they mean is always said beside them, too.

import { html } from "../vendor/htm-preact.js";

const icon = (lines) => (props) =>
  html`<svg class="icon" viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" focusable="false" ...${props}>${lines()}</svg>`;

export const Mark = icon(() => html`<path d="M5 19v-5M10 19V5M15 19V8M20 19v-3" />`);
export const Chevron = icon(() => html`<path d="m9 6 6 6-6 6" />`);
export const Moon = icon(() => html`<path d="M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z" />`);
export const Sun = icon(
  () => html`<circle cx="12" cy="12" r="4" /><path d="M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1 1M17.4 17.4l1 1M5.6 18.4l1-1M17.4 6.6l1-1" />`,
);
export const Key = icon(() => html`<circle cx="8" cy="15" r="4" /><path d="m11 12 8-8M16 7l3 3" />`);
export const Search = icon(() => html`<circle cx="11" cy="11" r="6.5" /><path d="m16 16 4.5 4.5" />`);
export const Plus = icon(() => html`<path d="M12 5v14M5 12h14" />`);
export const Trophy = icon(
  () => html`<path d="M8 4h8v6a4 4 0 0 1-8 0V4ZM8 6H4.5v1.5A3.5 3.5 0 0 0 8 11M16 6h3.5v1.5A3.5 3.5 0 0 1 16 11M12 14v4M8.5 20h7" />`,
);
export const Flag = icon(() => html`<path d="M6 21V4h11l-2.5 4L17 12H6" />`);
export const Close = icon(() => html`<path d="m6 6 12 12M18 6 6 18" />`);
