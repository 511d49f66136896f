// "Print" opens the browser's own dialog; without scripts its menu does the same.
for (const button of document.querySelectorAll("[data-lk-print]")) {
  button.addEventListener("click", () => window.print());
}
