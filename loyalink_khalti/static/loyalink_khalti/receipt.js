// Copies an order's numbers, and prints the page. Without this file both buttons stay hidden.
(() => {
  const page = document.documentElement;
  const spoken = document.createElement("span");
  spoken.className = "lk-hidden";
  spoken.setAttribute("role", "status");
  document.body.append(spoken);
  page.classList.add("lk-with-script");
  if (navigator.clipboard) page.classList.add("lk-with-clipboard"); // it is there on https and on localhost alone

  const copy = async (button) => {
    const label = button.firstChild, usual = (button.lkUsual ??= label.data);
    await navigator.clipboard.writeText(button.dataset.lkCopy);
    label.data = spoken.textContent = button.dataset.lkCopied;
    setTimeout(() => { label.data = usual; spoken.textContent = ""; }, 2000);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-lk-copy], [data-lk-print]");
    if (!button) return;
    if ("lkPrint" in button.dataset) window.print();
    else copy(button);
  });
})();
