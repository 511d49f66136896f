// The checkout shows new totals as soon as another delivery or payment method is chosen. Without this file the customer
// presses "Update the total", or sees the new total after "Place order", before anything is ordered.
(() => {
  const form = document.querySelector(".lk-checkout");
  if (!form) return;
  let latest = 0;
  const update = async () => {
    const turn = ++latest;
    const button = form.querySelector("#lk-summary [value=place]");
    const data = new FormData(form);
    data.set("action", "update");
    button.disabled = true;
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body: data, credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const summary = page.querySelector("#lk-summary");
      if (turn === latest && summary) form.querySelector("#lk-summary").replaceChildren(...summary.childNodes);
    } catch {
      // Without an answer the page stays as it is: the server compares the amount with what was shown.
    } finally {
      if (turn === latest) button.disabled = false;
    }
  };
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-lk-update]")) update();
  });
})();
