"""What one network can do to the running demo store: take its stock out of sale, and slow its pages down.

    .venv/bin/python -m benchmarks.bounded_harm [--sessions 100] [--requests 1000] [--seconds 15]

It starts the demo store and a simulated Khalti on loopback ports, in a temporary folder, and stops both. The store
trusts one proxy, so that the customers' networks are what ``X-Forwarded-For`` says. Everything is bounded: so many
sessions, requests and seconds. The figures depend on the machine and on what else runs on it.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests

from loyalink_khalti.simulator import Simulator
from sandbox import children
from sandbox.bootstrap import ROOT
from sandbox.shops import GUNICORN

ATTACKERS, HONEST = "203.0.113", "198.51.100"
"""Two networks of the documentation's address ranges (RFC 5737)."""
ADDRESS = {
    "first_name": "Maya",
    "last_name": "Shrestha",
    "line1": "Asan Tole 12",
    "line4": "Kathmandu",
    "phone_number": "9841234567",
    "country": "NP",
}
SAMPLES = 60
CATALOGUE = "/shop/catalogue/"


class Budget(Exception):
    """So many requests were sent as the attack may send."""


@dataclass
class Requests:
    """Counts requests, and ends the attack after ``most``."""

    most: int
    sent: int = 0

    def count(self) -> None:
        if self.sent >= self.most:
            raise Budget
        self.sent += 1


@dataclass
class Browser:
    """An anonymous browser session that sends the shop's forms without reading its pages."""

    store: str
    address: str
    budget: Requests
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.headers["X-Forwarded-For"] = self.address

    def open(self, path: str) -> requests.Response:
        self.budget.count()
        return self.session.get(self.store + path, allow_redirects=False, timeout=120)

    def post(self, path: str, **data: Any) -> requests.Response:
        self.budget.count()
        form = {"csrfmiddlewaretoken": self.session.cookies.get("csrftoken", ""), **data}
        referer = {"Referer": self.store + path}
        return self.session.post(self.store + path, data=form, headers=referer, allow_redirects=False, timeout=120)

    def go_to_preview(self, method: str, email: str) -> None:
        self.post("/shop/checkout/", username=email, options="anonymous")
        self.post("/shop/checkout/shipping-address/", **ADDRESS)
        self.post("/shop/checkout/shipping-method/", method_code="standard")
        self.post("/shop/checkout/payment-method/", payment_method=method)

    def place(self) -> str:
        """Return what became of "place order": khalti, placed or refused."""
        location = self.post("/shop/checkout/preview/", action="place_order").headers.get("Location", "")
        return "khalti" if "pidx=" in location else "placed" if "thank-you" in location else "refused"


# The store


@contextmanager
def running_store() -> Iterator[tuple[str, Simulator, dict[str, str]]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        khalti = stack.enter_context(Simulator())
        port = _free_port()
        environment = os.environ | {
            "SANDBOX_VAR": str(folder),
            "PORT": str(port),
            "KHALTI_BASE_URL": khalti.base_url,
            "TRUSTED_PROXIES": "1",
        }
        for command in (["migrate", "--no-input", "--verbosity=0"], ["load_demo"]):
            _manage(environment, *command)
        command = [sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--bind", f"127.0.0.1:{port}"]
        server = children.start([*command, *GUNICORN], cwd=ROOT, env=environment)
        stack.callback(children.stop, server)
        url = f"http://127.0.0.1:{port}"
        if not children.responds(f"{url}/healthz", server):
            raise SystemExit("the store does not start")
        yield url, khalti, environment


def _manage(environment: dict[str, str], *command: str) -> None:
    child = children.start([sys.executable, "-m", "sandbox.manage", *command], cwd=ROOT, env=environment)
    if child.wait():
        raise SystemExit(f"{command[0]} failed")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stock_levels() -> dict[int, tuple[str, int, int]]:
    """Return title, units for sale, and price in rupees of every product with stock, by its pk."""
    from oscar.core.loading import get_model

    rows = get_model("partner", "StockRecord").objects.select_related("product").exclude(num_in_stock=None)
    return {row.product_id: (row.product.get_title(), row.net_stock_level, int(row.price)) for row in rows}


# The measurements


def attack_stock(store: str, *, sessions: int, most: int) -> None:
    before = {pk: level for pk, level in stock_levels().items() if level[1] > 0}
    budget, outcomes = Requests(most), Counter[str]()
    started = time.monotonic()
    try:
        for number in range(sessions):
            outcomes[one_session(store, budget, before, number)] += 1
    except Budget:
        outcomes["cut off by the bound"] += 1
    seconds = time.monotonic() - started
    report("After the attack", before, stock_levels())
    print(f"- {sum(outcomes.values())} sessions, {budget.sent} requests in {seconds:.0f} s: {dict(outcomes)}")
    sample = sorted(before)[:: max(1, len(before) // 10)]
    bought = [honest_purchase(store, pk, number) for number, pk in enumerate(sample)]
    print(f"- customers of another network, one unit each of {len(sample)} products: {dict(Counter(bought))}")


def one_session(store: str, budget: Requests, levels: dict[int, tuple[str, int, int]], number: int) -> str:
    """Put as much as one network may reserve of a product into a fresh basket, or all of it, and order it unpaid."""
    browser = Browser(store, f"{ATTACKERS}.{number % 250 + 1}", budget)
    browser.open("/shop/basket/")
    pks = sorted(levels)
    pk = pks[number % len(pks)]
    level = levels[pk][1]
    quantity = max(1, level // 5) if number < len(pks) else level  # whoever comes later wants everything
    browser.post(f"/shop/basket/add/{pk}/", quantity=str(quantity))
    browser.go_to_preview("cod" if number % 2 else "khalti", f"guest{number}@example.com")
    return browser.place()


def honest_purchase(store: str, pk: int, number: int) -> str:
    browser = Browser(store, f"{HONEST}.{number + 1}", Requests(50))
    browser.open("/shop/basket/")
    browser.post(f"/shop/basket/add/{pk}/", quantity="1")
    browser.go_to_preview("cod", f"honest{number}@example.com")
    return browser.place()


def report(title: str, before: dict[int, tuple[str, int, int]], after: dict[int, tuple[str, int, int]]) -> None:
    left = {pk: after[pk][1] for pk in before}
    units = sum(level for _title, level, _price in before.values())
    value = sum((before[pk][1] - left[pk]) * before[pk][2] for pk in before)
    too_few = [before[pk][0] for pk in before if before[pk][1] - left[pk] > max(1, before[pk][1] // 5)]
    share = min(left[pk] / before[pk][1] for pk in before if before[pk][1] >= 5)
    print(f"- {title}: {sum(left.values())} of {units} units of {len(before)} products are for sale;")
    print(f"  of a product with 5 units or more at least {share:.0%}; reserved are Rs {value:,};")
    print(f"  products of which more than max(1, 20 %) is reserved: {len(too_few)} {too_few[:5]}")


def attack_speed(store: str, khalti: Simulator, *, seconds: float) -> None:
    free = Requests(10**9)
    cancels = [begun(store, number, free) for number in range(4)]
    places = [ready_to_place(store, number, free) for number in range(4)]
    urls = [f"{store}/healthz", store + CATALOGUE]
    usual = {url: samples(url, count=SAMPLES) for url in urls}
    khalti.fault("hang", where="all", times=None, seconds=20)
    until = time.monotonic() + seconds
    clicks = Counter[str]()

    def click(name: str, work: Callable[[], object]) -> None:
        while time.monotonic() < until:
            work()
            clicks[name] += 1

    with ThreadPoolExecutor(8) as customers:
        for browser, token in cancels:
            customers.submit(click, "cancel", partial(browser.post, f"/khalti/cancel/{token}/"))
        for browser in places:
            customers.submit(click, "place order", browser.place)
        time.sleep(0.5)
        meanwhile = {url: samples(url, until=until) for url in urls[1:]} | {urls[0]: samples(urls[0], count=20)}
    khalti.clear_faults()
    print(f"- clicks in {seconds:.0f} s while Khalti hangs: {dict(clicks)}")
    for url in urls:
        print(f"- {url.removeprefix(store)}: usually {figures(usual[url])}; meanwhile {figures(meanwhile[url])}")


def begun(store: str, number: int, budget: Requests) -> tuple[Browser, str]:
    """Begin a payment at Khalti, and return its browser and token."""
    from loyalink_khalti.payments.models import Payment

    browser = ready_to_place(store, 100 + number, budget)
    assert browser.place() == "khalti"
    return browser, Payment.objects.latest("pk").token


def ready_to_place(store: str, number: int, budget: Requests) -> Browser:
    browser = Browser(store, f"192.0.2.{number + 1}", budget)  # each attack is bounded apart: see the stock's
    browser.session.headers["X-Forwarded-For"] = f"10.{number}.0.1"
    browser.open("/shop/basket/")
    pk = max(stock_levels().items(), key=lambda item: item[1][1])[0]
    browser.post(f"/shop/basket/add/{pk}/", quantity="1")
    browser.go_to_preview("khalti", f"clicks{number}@example.com")
    return browser


def samples(url: str, *, count: int = 10**6, until: float = float("inf")) -> list[float]:
    """Return the seconds of each page; a page that is not 200 counts as 60 seconds."""
    taken: list[float] = []
    session = requests.Session()
    session.trust_env = False
    while len(taken) < count and time.monotonic() < until:
        started = time.monotonic()
        answer = session.get(url, timeout=60)
        taken.append(time.monotonic() - started if answer.status_code == 200 else 60.0)
    return taken


def figures(taken: list[float]) -> str:
    ninety = quantiles(taken, n=10)[-1] if len(taken) > 1 else taken[0]
    return (
        f"median {median(taken) * 1000:.0f} ms, 90 % within {ninety * 1000:.0f} ms, longest {max(taken) * 1000:.0f} ms"
        f" ({len(taken)} pages)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15)
    chosen = parser.parse_args()
    with running_store() as (store, khalti, environment):
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "sandbox.settings"}
        import django

        django.setup()
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} processors, load {load:.1f} before the start\n")
        attack_speed(store, khalti, seconds=chosen.seconds)
        attack_stock(store, sessions=chosen.sessions, most=chosen.requests)


if __name__ == "__main__":
    main()
