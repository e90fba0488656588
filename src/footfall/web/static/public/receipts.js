// The visitor's receipts: those that this page's site keeps, and those that count.js keeps for the site around the frame.

const KEPT_CHARACTERS_MAX = 9_999; // some 200 receipts; then the oldest goes

const { counter } = document.body.dataset;
const box = `footfall:${counter}`; // where count.js keeps them
const others = new Set();

function kept() {
  try {
    return localStorage.getItem(box) || "";
  } catch { // storage is barred
    return "";
  }
}

/** All receipts that are known. */
export function receipts() {
  return [...new Set([...kept().split(" "), ...others])].filter((one) => one.length >= 22);
}

/** Keep a receipt. */
export function remember(receipt) {
  others.add(receipt);
  try {
    localStorage.setItem(box, `${receipt} ${kept()}`.slice(0, KEPT_CHARACTERS_MAX));
  } catch {
    // it lasts as long as the page
  }
}

// Browsers keep storage apart by the page around, so a frame asks that page's count.js. What a page sends that lies is a
// text that is compared with a digest.
addEventListener("message", ({ source, data }) => {
  if (source !== parent || parent === window || typeof data?.[box] !== "string") return;
  for (const one of data[box].slice(0, KEPT_CHARACTERS_MAX).split(" ")) others.add(one);
  dispatchEvent(new Event("receipts"));
});
if (parent !== window) parent.postMessage(box, "*");
