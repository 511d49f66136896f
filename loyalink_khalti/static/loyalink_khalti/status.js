// Asks for news of a payment that is being confirmed, and shows them without a reload. Without JavaScript the page reloads.
(() => {
  const place = document.getElementById("lk-status");
  const say = document.getElementById("lk-say");
  if (!place || !say || !place.dataset.news) return;

  let after = Number(place.dataset.after), failures = 0, timer = 0, asking = false;

  const plan = () => {
    clearTimeout(timer);
    if (after && !document.hidden) timer = setTimeout(ask, 1000 * Math.min(after * 2 ** failures, 60));
  };

  const show = (news) => {
    const hadFocus = place.contains(document.activeElement);
    place.dataset.state = news.state;
    place.innerHTML = news.html;
    document.title = document.title.includes("|") ? `${news.title} |${document.title.split("|").pop()}` : news.title;
    say.classList.add("lk-hidden");
    say.textContent = news.say;
    const heading = place.querySelector("h1");
    heading.tabIndex = -1;
    if (hadFocus) heading.focus();
  };

  const ask = async (isClick) => {
    if (asking) return;
    asking = true;
    try {
      const response = await fetch(place.dataset.news, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!response.ok) throw new Error(response.status);
      const news = await response.json();
      failures = 0;
      after = news.after;
      if ("forward" in place.dataset && news.forward) {
        location.replace(news.forward);
        return;
      }
      if (news.state !== place.dataset.state) {
        show(news);
      } else if (isClick === true) {
        say.classList.remove("lk-hidden");
        say.textContent = "";
        requestAnimationFrame(() => { say.textContent = say.dataset.nothing; });
      }
    } catch {
      failures = Math.min(failures + 1, 4);
      if (isClick === true) location.reload();
    } finally {
      asking = false;
      plan();
    }
  };

  place.addEventListener("click", (event) => {
    if (!event.target.closest("[data-check]") || event.ctrlKey || event.metaKey || event.shiftKey || !after) return;
    event.preventDefault();
    ask(true);
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
  plan();
})();
