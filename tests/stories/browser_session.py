"""A browser session that drives a running store over HTTP by its own pages and forms, as a person would."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup

PASSWORD = "saraswati-demo"
ADDRESS = {
    "first_name": "Maya",
    "last_name": "Shrestha",
    "line1": "Asan Tole 12",
    "line4": "Kathmandu",
    "state": "Bagmati",
    "postcode": "44600",
    "phone_number": "9841234567",
    "country": "NP",
}


@dataclass
class Page:
    """What a browser shows."""

    url: str
    status: int
    text: str
    history: list[requests.Response] = field(default_factory=list)

    @property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.text, "html.parser")

    @property
    def visible_text(self) -> str:
        return " ".join(self.soup.get_text(" ").split())

    def form(self, *fields: str) -> Any:
        """Return the first form that has all the fields."""
        for form in self.soup.find_all("form"):
            if all(form.find(attrs={"name": name}) for name in fields):
                return form
        raise LookupError(f"no form with {fields} on {self.url}: {self.visible_text[:300]}")


class BrowserSession:
    """One browser, with its cookies."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.session = requests.Session()
        self.session.trust_env = False

    def open(self, path: str, *, follow: bool = True) -> Page:
        """Open an address, or a path of the store ("/shop/")."""
        address = urljoin(f"{self.store}/", path.removeprefix("/"))
        return self._page(self.session.get(address, allow_redirects=follow, timeout=60))

    def submit(self, page: Page, *fields: str, follow: bool = True, **typed: str) -> Page:
        """Fill in the form that has these fields and send it with its other values."""
        form = page.form(*fields, *typed)
        filled = {
            tag["name"]: tag.get("value", "")
            for tag in form.find_all("input")
            if tag.get("name") and (tag.get("type") not in {"checkbox", "radio", "submit"} or tag.has_attr("checked"))
        }
        for tag in form.find_all("select"):
            chosen = tag.find("option", selected=True) or tag.find("option")
            filled[tag["name"]] = chosen.get("value", "") if chosen else ""
        for tag in form.find_all("textarea"):
            filled[tag["name"]] = tag.text
        target = urljoin(page.url, form.get("action") or page.url)
        headers = {"Referer": page.url}
        return self._page(
            self.session.post(target, data=filled | typed, headers=headers, allow_redirects=follow, timeout=60)
        )

    def log_in(self, email: str) -> "BrowserSession":
        page = self.open("/shop/accounts/login/")
        page = self.submit(page, **{"login-username": email, "login-password": PASSWORD, "login_submit": "1"})
        assert "Log out" in page.visible_text or "Logout" in page.visible_text or email in page.visible_text, (
            page.visible_text[:400]
        )
        return self

    def add(self, title: str, quantity: int = 1) -> Page:
        """Find a product by its title and add it to the basket."""
        found = self.open(f"/shop/search/?q={title}")
        link = next(a["href"] for a in found.soup.find_all("a", href=True) if title.lower() in a.get_text().lower())
        page = self.open(urljoin(found.url, link))
        return self.submit(page, quantity=str(quantity))

    def check_out(self, *, email: str = "", delivery: str = "") -> Page:
        """Go through the checkout up to the payment methods."""
        page = self.open("/shop/checkout/")
        if "/shipping-address" not in page.url:
            page = self.submit(page, username=email, options="anonymous")
        if "/shipping-address" in page.url:
            typed = {name: value for name, value in ADDRESS.items() if page.soup.find(attrs={"name": name})}
            page = self.submit(page, **typed)
        if "/shipping-method" in page.url:
            codes = [tag["value"] for tag in page.soup.find_all(attrs={"name": "method_code"})]
            page = self.submit(page, method_code=delivery or codes[0])
        assert "/payment-method" in page.url, (page.url, page.visible_text[:400])
        return page

    def choose(self, page: Page, method: str, *, points: str | None = None) -> Page:
        typed = {"payment_method": method} | ({"points": points} if points is not None else {})
        return self.submit(page, **typed)

    def place_order(self, page: Page, *, follow: bool = False) -> Page:
        assert "/preview" in page.url, (page.url, page.visible_text[:400])
        return self.submit(page, action="place_order", follow=follow)

    def pay(self, payment_url: str, *, action: str = "pay", follow: bool = True) -> Page:
        """Pay, or cancel, on Khalti's page; ``follow`` returns to the shop."""
        page = self._page(self.session.get(payment_url, timeout=60))
        typed = {"khalti_id": "9800000001", "mpin": "1111", "otp": "987654"}
        return self.submit(page, "khalti_id", follow=follow, action=action, **typed)

    @staticmethod
    def _page(response: requests.Response) -> Page:
        return Page(
            url=response.headers.get("Location", response.url) if response.is_redirect else response.url,
            status=response.status_code,
            text=response.text,
            history=list(response.history),
        )
