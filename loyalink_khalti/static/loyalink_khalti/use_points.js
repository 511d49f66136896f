// The checkout shows new figures as soon as points are moved, or another delivery or payment method is chosen. All of them
// are the server's: the form is sent with action=update, and what has data-lk-live is replaced from its answer. Without this
// file the customer presses "Apply" or "Update the total", or sees the new total before anything is ordered.
(() => {
  const form = document.querySelector("form[data-lk-live-form]");
  if (!form) return;
  const live = ["[data-lk-live][id]", form.dataset.lkLiveForm].filter(Boolean).join(", ");
  let isSending = false;
  let isStale = false;
  let sentPoints = "";

  const control = (root = form) => root.querySelector("[data-lk-points]");
  const range = (box) => box.querySelector("[type=range]");
  const typed = (box) => box.querySelector("[name=points]");

  // Show what only works with this file, and hide what is only for a page without it.
  const dress = () => {
    const box = control();
    if (!box) return;
    range(box).hidden = range(box).max === "0";
    box.querySelector("[data-lk-apply]").hidden = true;
  };

  // The points of a stop of the range: none, then in steps, then what leaves nothing to pay.
  const pointsAt = (box, stop) => {
    const [first, increment, whole] = ["first", "increment", "whole"].map((name) => Number(box.dataset[name]));
    if (stop === 0) return 0;
    return whole && stop === Number(range(box).max) ? whole : first + (stop - 1) * increment;
  };

  // The control that the customer is moving stays; it gets the limits and figures of the server's answer.
  const adjust = (box, fresh) => {
    Object.assign(box.dataset, fresh.dataset);
    if (range(box) !== document.activeElement) {
      range(box).max = range(fresh).max;
      range(box).value = range(fresh).value;
    }
    if (typed(box).value === sentPoints) typed(box).value = typed(fresh).value;
    for (const [mine, other] of [[range(box), range(fresh)], [typed(box), typed(fresh)]]) {
      for (const name of ["aria-valuetext", "aria-describedby", "aria-invalid"]) {
        if (other.hasAttribute(name)) mine.setAttribute(name, other.getAttribute(name));
        else mine.removeAttribute(name);
      }
    }
  };

  const replace = (region, fresh) => {
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    region.replaceChildren(...fresh.childNodes);
    if (!focused) return;
    const same = focused.id ? `#${CSS.escape(focused.id)}` : `[name="${focused.name}"][value="${focused.value}"]`;
    region.querySelector(same)?.focus();
  };

  const show = (page) => {
    for (const region of document.querySelectorAll(live)) {
      const fresh = region.isConnected && page.getElementById(region.id);
      if (!fresh) continue;
      const box = control(region);
      const freshBox = control(fresh);
      if (box && freshBox && box.contains(document.activeElement)) adjust(box, freshBox);
      else replace(region, fresh);
    }
    dress();
  };

  const send = async () => {
    const data = new FormData(form);
    data.set("action", "update");
    sentPoints = data.get("points");
    const address = form.getAttribute("action") || location.href;
    const answer = await fetch(address, { method: "POST", body: data, credentials: "same-origin" });
    if (answer.redirected) location.assign(answer.url);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  // One request at a time: while one is under way, the newest wish waits.
  const update = async () => {
    isStale = true;
    if (isSending) return;
    isSending = true;
    form.setAttribute("aria-busy", "true");
    const places = () => form.querySelectorAll("button[value=place]");
    try {
      for (const button of places()) button.disabled = true;
      while (isStale) {
        isStale = false;
        const page = await send();
        if (!isStale) show(page);
      }
    } catch {
      // Without an answer the page stays as it is: the server compares the amount with what was shown.
    } finally {
      isSending = false;
      form.removeAttribute("aria-busy");
      for (const button of places()) button.disabled = false;
    }
  };

  form.addEventListener("input", (event) => {
    const box = control();
    if (!box || event.target !== range(box)) return;
    const points = pointsAt(box, Number(event.target.value));
    typed(box).value = points ? points.toLocaleString(box.dataset.locale) : "";
    event.target.setAttribute("aria-valuetext", points.toLocaleString(box.dataset.locale));
    update();
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-lk-update], [name=points]")) update();
  });
  form.addEventListener("submit", (event) => {
    const pressed = event.submitter;
    if (!pressed) return;
    if (pressed.name === "use_points") {
      typed(control()).value = Number(pressed.value) ? Number(pressed.value).toLocaleString(control().dataset.locale) : "";
    } else if (pressed.name !== "action" || pressed.value !== "update") return;
    event.preventDefault();
    update();
  });
  dress();
})();
