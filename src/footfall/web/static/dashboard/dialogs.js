// What the page asks a person for: a token, a new milestone, the receipt that claims a prize.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { token } from "./api.js";
import { count, nextRound, ordinal, wholeNumber } from "./numbers.js";
import { milestonePath, request, useToken as takeToken } from "./session.js";
import { store, useStore } from "./store.js";

const KINDS = { token: TokenDialog, milestone: MilestoneDialog, claim: ClaimDialog };

const close = () => store.set({ dialog: null });

export function Dialogs() {
  const dialog = useStore((state) => state.dialog);
  if (!dialog) return null;
  return html`<${KINDS[dialog.kind]} key=${dialog.kind} ...${dialog} />`;
}

/** A modal dialog: it keeps the focus, and gives it back to where it was. `submit` may throw: then it says why. */
function Dialog({ title, wrong, action, submit, children }) {
  const box = useRef();
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const before = document.activeElement;
    const dialog = box.current;
    dialog.showModal();
    document.activeElement.select?.(); // what is proposed is typed over, not added to
    return () => {
      dialog.remove(); // as long as it is there, nothing else takes the focus
      before?.focus?.({ preventScroll: true });
    };
  }, []);
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailed("");
    try {
      await submit(Object.fromEntries(new FormData(event.target)));
    } catch (error) {
      setFailed(error.message);
    }
    setBusy(false);
  };
  const said = failed || wrong;
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onClose=${close} onCancel=${close}>
    <form onSubmit=${onSubmit}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
      <p class="failed" role="alert">${said}</p>
      <div class="buttons">
        <button type="button" class="quiet" onClick=${close}>Cancel</button>
        <button type="submit" class="main" disabled=${busy}>${action}</button>
      </div>
    </form>
  </dialog>`;
}

function TokenDialog({ wrong }) {
  const forget = () => takeToken("");
  return html`<${Dialog} title="A token, please" wrong=${wrong} action="Use it" submit=${({ secret }) => takeToken(secret.trim())}>
    <p>This node lets in who shows a token. It is kept until you close this tab, and sent to this node alone.</p>
    <label>Token<input name="secret" type="password" required autocomplete="off" autofocus spellcheck=${false} /></label>
    ${token.get() && html`<button type="button" class="quiet" onClick=${forget}>Forget the one in use</button>`}
  </${Dialog}>`;
}

function MilestoneDialog({ counter }) {
  const next = counter && nextRound(store.get().readings[counter]?.value ?? 0);
  const submit = async ({ name, n }) => {
    const number = wholeNumber(n);
    if (!number) throw new Error(`“${n}” is not a whole number from 1 on.`);
    const made = await request("PUT", milestonePath(name.trim(), number));
    store.set({ dialog: null, said: `Milestone set: the ${ordinal(made.n)} of ${made.counter}.` });
  };
  return html`<${Dialog} title="New milestone" action="Set it" submit=${submit}>
    <p>Whoever makes the N-th visit is named, with a proof. Set it before it is reached; it cannot be taken back.</p>
    <label>Counter<input name="name" value=${counter} required autocomplete="off" spellcheck=${false} autocapitalize="none" autocorrect="off" autofocus=${!counter} /></label>
    <label>N<input name="n" value=${next && count(BigInt(next))} inputmode="numeric" required autocomplete="off" autofocus=${Boolean(counter)} /></label>
  </${Dialog}>`;
}

function ClaimDialog({ counter, n }) {
  const submit = async ({ receipt }) => {
    await request("POST", milestonePath(counter, n, "claim"), { receipt: receipt.trim() });
    store.set({ dialog: null, said: `Claimed: the ${ordinal(n)} of ${counter}.` });
  };
  return html`<${Dialog} title=${`Claim the ${ordinal(n)} of ${counter}`} action="Claim" submit=${submit}>
    <p>Each visit is answered with a receipt. Only the winner's claims, and only once.</p>
    <label>Receipt<input name="receipt" required autocomplete="off" spellcheck=${false} autocapitalize="none" autocorrect="off" autofocus /></label>
  </${Dialog}>`;
}
