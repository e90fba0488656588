// Sets the colours that were chosen before anything is drawn. A classic script in the head, or the page would flash.
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("footfall-theme");
  } catch {
    // no storage: the system's colours it is
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
