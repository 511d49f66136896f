// Update the live example while the user types. Without JavaScript, its button does it.
document.addEventListener("DOMContentLoaded", () => {
  const example = document.querySelector("[data-lk-example]");
  if (!example) return;
  const form = example.closest("form");
  const answer = example.querySelector("[data-lk-example-answer]");
  const button = example.querySelector("[data-lk-example-button]");
  let timer, request;
  const update = async () => {
    request?.abort();
    request = new AbortController();
    try {
      const response = await fetch(example.dataset.lkExample, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        signal: request.signal,
      });
      answer.innerHTML = (await response.json()).html; // rendered and escaped by our own template
      button.hidden = true;
    } catch (error) {
      if (error.name !== "AbortError") button.hidden = false;
    }
  };
  const updateSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(update, 350);
  };
  button.hidden = true;
  form.addEventListener("input", updateSoon);
  form.addEventListener("change", updateSoon);
});
