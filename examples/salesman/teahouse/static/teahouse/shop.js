// A client of Salesman's API in the browser. An app does the same with a token: see buy.sh.
"use strict";

const byId = (id) => document.getElementById(id);
const isMember = document.body.dataset.member === "yes";

async function call(path, method = "GET", data = undefined) {
  const csrf = document.cookie.split("; ").find((each) => each.startsWith("csrftoken="));
  const response = await fetch(`/api/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf ? csrf.slice(10) : "" },
    body: data === undefined ? undefined : JSON.stringify(data),
  });
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(sentences(body));
  return body;
}

function sentences(body) {
  if (typeof body === "string") return body;
  if (body === null || typeof body !== "object") return String(body);
  return Object.values(body).map(sentences).join(" ");
}

function say(text, isError = false) {
  byId("message").textContent = text;
  byId("message").className = isError ? "error" : "";
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function row(name, amount, button = null) {
  const made = element("tr");
  const first = element("td", name);
  if (button) first.append(" ", button);
  made.append(first, element("td", `Rs ${amount}`, "amount"));
  return made;
}

function button(text, act) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", () => attempt(act));
  return made;
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    say(error.message, true);
  }
}

async function showTeas() {
  byId("teas").replaceChildren(
    ...(await call("teas/")).map((tea) => {
      const made = element("li");
      const left = tea.stock === null ? "" : `, ${tea.stock} left`;
      made.append(element("span", `${tea.name}: Rs ${tea.price}${left}`));
      const add = button("Add", async () => {
        await call("basket/", "POST", { product_type: "teahouse.Tea", product_id: tea.id });
        say(`${tea.name} is in your basket.`);
        await showBasket();
      });
      add.disabled = tea.stock === 0;
      made.append(add);
      return made;
    }),
  );
}

async function showBasket() {
  const basket = await call("basket/");
  const remove = (item) =>
    button("Remove", async () => {
      await call(`basket/${item.ref}/`, "DELETE");
      await showBasket();
    });
  byId("basket").replaceChildren(
    ...basket.items.map((item) => row(`${item.quantity} × ${item.product.name}`, item.total, remove(item))),
    ...basket.extra_rows.map((extra) => row(extra.label, extra.amount)),
    row("To pay", basket.total),
  );
  const hasItems = basket.items.length > 0;
  byId("checkout").hidden = !hasItems;
  byId("points").hidden = !(hasItems && isMember);
  if (hasItems) await showMethods();
  if (hasItems && isMember) showPoints(await call("payment/khalti/points/"));
}

function showPoints(points) {
  byId("points-number").value = points.points;
  byId("points-hint").textContent = `You have ${points.balance} and can use ${points.redeemable} here.`;
}

async function showMethods() {
  const chosen = document.querySelector("#methods input:checked");
  const legend = document.querySelector("#methods legend");
  const { payment_methods: methods } = await call("checkout/");
  byId("methods").replaceChildren(
    legend,
    ...methods.map((method, index) => {
      const label = element("label");
      const input = element("input");
      Object.assign(input, { type: "radio", name: "payment_method", value: method.identifier, required: true });
      input.disabled = Boolean(method.error);
      input.checked = !method.error && (chosen ? chosen.value === method.identifier : index === 0);
      label.append(input, element("span", method.error ? `${method.label}: ${method.error}` : method.label));
      return label;
    }),
  );
}

byId("points").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const points = await call("payment/khalti/points/", "PUT", { points: byId("points-number").value || 0 });
    say(`You use ${points.points} points.`);
    await showBasket();
  });
});

byId("checkout").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target));
  attempt(async () => {
    const answer = await call("checkout/", "POST", { ...form, billing_address: form.shipping_address });
    localStorage.setItem(answer.ref, answer.token); // a guest sees the order by its token
    window.location = answer.payment ? answer.url : `/?order=${answer.ref}&outcome=placed`;
  });
});

const returned = new URLSearchParams(window.location.search);

async function showOrder(ref, outcome) {
  if (outcome !== "paid" && outcome !== "placed") {
    say("Nothing was paid. Your basket is unchanged.");
    return;
  }
  const order = await call(`orders/${encodeURIComponent(ref)}/?token=${localStorage.getItem(ref) || ""}`);
  say(`Thank you! Order ${order.ref}: Rs ${order.total}, ${order.is_paid ? "paid" : "to pay on delivery"}.`);
}

byId("email").value = document.body.dataset.email;
attempt(async () => {
  await Promise.all([showTeas(), showBasket()]);
  if (returned.has("order")) await showOrder(returned.get("order"), returned.get("outcome"));
});
