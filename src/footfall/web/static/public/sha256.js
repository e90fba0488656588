// SHA-256 (FIPS 180-4) of a text, in hex. A browser has its own, but not for pages that came over plain HTTP.

const fraction = (root) => (root % 1) * 2 ** 32 | 0;

const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
const START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const K = primes.map((prime) => fraction(Math.cbrt(prime)));

const rotated = (word, bits) => (word >>> bits) | (word << (32 - bits));

function padded(bytes) {
  const found = new DataView(new ArrayBuffer(((bytes.length + 8 >> 6) + 1) * 64));
  bytes.forEach((byte, at) => found.setUint8(at, byte));
  found.setUint8(bytes.length, 0x80);
  found.setUint32(found.byteLength - 4, bytes.length * 8);
  return found;
}

function mixed(state, block) {
  const w = Array.from({ length: 16 }, (_, at) => block(at));
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    if (i >= 16) {
      const early = w[i - 15], late = w[i - 2];
      const s0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
      const s1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    const chosen = (e & f) ^ (~e & g), most = (a & b) ^ (a & c) ^ (b & c);
    const one = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + chosen + K[i] + w[i]) | 0;
    const two = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + most) | 0;
    [a, b, c, d, e, f, g, h] = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g];
  }
  return [a, b, c, d, e, f, g, h].map((word, at) => (word + state[at]) | 0);
}

export function sha256(text) {
  const data = padded(new TextEncoder().encode(text));
  let state = START;
  for (let at = 0; at < data.byteLength; at += 64) state = mixed(state, (word) => data.getInt32(at + 4 * word));
  return state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
