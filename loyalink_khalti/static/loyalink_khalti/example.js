// The worked example follows what is typed. Without this, its button does it.
document.addEventListener("DOMContentLoaded", () => {
  const example = document.querySelector("[data-lk-example]");
  if (!example) return;
  const form = example.closest("form");
  const answer = example.querySelector("[data-lk-example-answer]");
  const button = example.querySelector("[data-lk-example-button]");
  let timer, asking;
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    try {
      const response = await fetch(example.dataset.lkExample, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        signal: asking.signal,
      });
      answer.innerHTML = (await response.json()).html; // our own server's, escaped by its template
      button.hidden = true;
    } catch (error) {
      if (error.name !== "AbortError") button.hidden = false;
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  };
  button.hidden = true;
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
});
