// Gives the browser a language that there is: on machines whose locale is C, such as one behind a screen on a wall, some name
// it "C" or "en-US@posix", which no formatter takes, and uPlot asks for one as soon as it is loaded.

try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}
