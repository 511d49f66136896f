// Copies an order's numbers, and prints the page. Without this file both buttons stay hidden.
(() => {
  for (const button of document.querySelectorAll("[data-lk-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
  if (!navigator.clipboard) return; // it is there on https alone
  const spoken = document.createElement("span");
  spoken.className = "lk-hidden";
  spoken.setAttribute("role", "status");
  document.body.append(spoken);
  for (const button of document.querySelectorAll("[data-lk-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.lkCopy);
      spoken.textContent = button.dataset.lkCopied;
      button.classList.add("lk-copied");
      setTimeout(() => { spoken.textContent = ""; button.classList.remove("lk-copied"); }, 2000);
    });
  }
})();
