// Add a row to a formset. Without JavaScript, each saved page offers one more row.
document.addEventListener("DOMContentLoaded", () => {
  for (const rows of document.querySelectorAll("[data-lk-rows]")) {
    const total = rows.querySelector(`[name="${rows.dataset.lkRows}-TOTAL_FORMS"]`);
    const button = rows.querySelector("[data-lk-rows-add]");
    button.hidden = false;
    button.addEventListener("click", () => {
      const html = rows.querySelector("[data-lk-rows-empty]").innerHTML.replaceAll("__prefix__", total.value);
      rows.querySelector("[data-lk-rows-list]").insertAdjacentHTML("beforeend", html);
      total.value = Number(total.value) + 1;
      rows.querySelector("[data-lk-rows-list]").lastElementChild.querySelector("input:not([type=hidden]), select").focus();
    });
  }
});
