// A count whose digits roll. Only digits that change move, and all of them at once if motion is not wanted.

const GAP = 0.35; // of a digit's width

const FACES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

function wheel() {
  const found = document.createElement("span");
  found.className = "wheel";
  const strip = document.createElement("span");
  for (const face of FACES) {
    const line = document.createElement("span");
    line.textContent = face;
    strip.append(line);
  }
  found.append(strip);
  return found;
}

function gap() {
  const found = document.createElement("span");
  found.className = "gap";
  return found;
}

/** Show the digits of a whole number, given as text. */
export function roll(box, digits) {
  const wheels = [...box.querySelectorAll(".wheel")].slice(-digits.length);
  while (wheels.length < digits.length) wheels.unshift(wheel());
  const shown = wheels.flatMap((one, at) => (at && (digits.length - at) % 3 === 0 ? [gap(), one] : [one]));
  if (wheels.length !== box.querySelectorAll(".wheel").length) box.replaceChildren(...shown);
  wheels.forEach((one, at) => {
    one.firstChild.style.transform = `translateY(${-digits[at] * 10}%)`;
  });
  box.style.setProperty("--places", digits.length + Math.floor((digits.length - 1) / 3) * GAP);
  box.dataset.value = digits;
}
