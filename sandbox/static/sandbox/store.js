// Everything here works without it: a list is sorted at once when another order is chosen.
for (const button of document.querySelectorAll("[data-spared]")) {
    const form = button.form;
    button.hidden = true;
    form.addEventListener("change", () => form.submit());
}
