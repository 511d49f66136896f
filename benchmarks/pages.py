"""The demo store on gunicorn: how fast its catalogue is while 24 returns hang, and what its checkout asks more.

In Oscar, on SQLite, two workers of four threads, as ``python3 -m sandbox`` runs it.
"""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import requests

from benchmarks.bounded_harm import CATALOGUE, Browser, Requests, samples
from benchmarks.servers import Khalti, kept_under
from sandbox import children
from sandbox.bootstrap import ROOT
from sandbox.shops import GUNICORN

HUNG = 24
"""Customers who come back while Khalti does not answer."""
STOCKED = """
    SELECT product_id FROM partner_stockrecord WHERE num_in_stock IS NOT NULL
    ORDER BY num_in_stock - coalesce(num_allocated, 0) DESC
"""


@dataclass(frozen=True)
class Store:
    """The demo store: its folder and its environment; ``url`` once it runs."""

    folder: Path
    environment: dict[str, str]
    url: str = ""

    def products(self) -> list[int]:
        """Return the products of which the most is left, by their pk."""
        with sqlite3.connect(self.folder / "store.sqlite3") as database:
            return [pk for (pk,) in database.execute(STOCKED)]


@contextmanager
def loaded_store(khalti: Khalti) -> Iterator[Store]:
    """Yield the demo store's data in a temporary folder; loading it takes half a minute, so a copy is kept."""
    kept = kept_under("bench-stores")
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name) / "var"
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("BENCHMARK_", "DJANGO_"))
        }
        environment |= {
            "SANDBOX_VAR": str(folder),
            "PORT": str(port),
            "KHALTI_BASE_URL": khalti.base_url,
            "TRUSTED_PROXIES": "1",
        }
        if kept.exists():
            shutil.copytree(kept, folder)
        else:
            for command in (["migrate", "--no-input", "--verbosity=0"], ["load_demo"]):
                subprocess.run(
                    [sys.executable, "-m", "sandbox.manage", *command],
                    cwd=ROOT,
                    env=environment,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
            shutil.copytree(folder, kept)
        probe.close()
        yield Store(folder, environment, f"http://127.0.0.1:{port}")


@contextmanager
def running(store: Store) -> Iterator[None]:
    """Run gunicorn."""
    bind = store.url.removeprefix("http://")
    command = [sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--bind", bind, *GUNICORN]
    server = children.start(command, cwd=ROOT, env=store.environment)
    try:
        if not children.responds(f"{store.url}/healthz", server):
            raise SystemExit("the store does not start")
        yield
    finally:
        children.stop(server)


def begin(store: Store, number: int) -> None:
    """Let a guest of a network of their own order one unit and go to Khalti."""
    browser = Browser(store.url, f"10.{number}.0.1", Requests(50))
    browser.open("/shop/basket/")
    browser.post(f"/shop/basket/add/{store.products()[0]}/", quantity="1")
    browser.go_to_preview("khalti", f"guest{number}@example.com")
    became = browser.place()
    assert became == "khalti", f"the payment of guest {number} is {became}"


def come_back(url: str, number: int) -> None:
    session = requests.Session()
    session.trust_env = False
    session.get(url, timeout=60, headers={"X-Forwarded-For": f"10.{number}.0.1"})


def hung_returns(store: Store, khalti: Khalti, *, seconds: float) -> dict[str, float]:
    """Return median and p95 of the catalogue, in multiples of the usual ones, while returns hang."""
    khalti.return_urls()
    for number in range(HUNG):
        begin(store, number)
    urls = khalti.return_urls()
    catalogue = store.url + CATALOGUE
    samples(catalogue, count=10)
    usual = samples(catalogue, count=60)
    khalti.control(hang=True)
    with ThreadPoolExecutor(HUNG) as customers:
        for number, url in enumerate(urls):
            customers.submit(come_back, url, number)
        time.sleep(0.2)
        meanwhile = samples(catalogue, until=time.monotonic() + seconds)
    khalti.control(hang=False)
    p95 = [quantiles([*taken, max(taken)], n=20, method="inclusive")[-1] for taken in (meanwhile, usual)]
    return {"median": median(meanwhile) / median(usual), "p95": p95[0] / p95[1], "longest": max(meanwhile)}


def checkout_statements(store: Store) -> dict[str, list[int]]:
    """Return, by page of Oscar's checkout, the statements of this package and all statements."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.store_statements"],
        cwd=ROOT,
        env={**store.environment, "DJANGO_SETTINGS_MODULE": "sandbox.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(khalti: Khalti, *, seconds: float) -> tuple[dict[str, float], dict[str, list[int]]]:
    """Return what hung returns do to the catalogue, and the statements of the checkout's pages."""
    with loaded_store(khalti) as store:
        counted = checkout_statements(store)
        with running(store):
            return hung_returns(store, khalti, seconds=seconds), counted
