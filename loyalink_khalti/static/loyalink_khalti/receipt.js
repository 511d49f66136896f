// Copies an order's numbers, and prints the page. Without this file both buttons stay hidden.
(() => {
  for (const button of document.querySelectorAll("[data-lk-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
  if (!navigator.clipboard) return; // it is there on https and on localhost alone
  const spoken = document.createElement("span");
  spoken.className = "lk-hidden";
  spoken.setAttribute("role", "status");
  document.body.append(spoken);
  for (const button of document.querySelectorAll("[data-lk-copy]")) {
    const label = button.firstChild, usual = label.data;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.lkCopy);
      label.data = spoken.textContent = button.dataset.lkCopied;
      setTimeout(() => { label.data = usual; spoken.textContent = ""; }, 2000);
    });
  }
})();
