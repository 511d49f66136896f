"""docs/benchmarks.md, written from the figures of one run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Ratio, table

HOSTS = (
    ("Oscar", "tests/hosts/oscar/test_statements.py"),
    ("pages that sell", "tests/hosts/page/test_customer_pages.py"),
    ("Salesman", "tests/hosts/salesman/test_checkout.py"),
)
"""Where each host's extra statements are asserted."""


@dataclass(frozen=True)
class Results:
    """The figures of one run."""

    when: str
    commit: str
    machine: str
    options: str
    loops: str
    clients: str
    against_update: dict[str, tuple[Ratio, Ratio]]
    at_once: dict[str, tuple[int, int, int]]
    reconcile: dict[str, list[float]]
    payments: int
    ledger: dict[str, Ratio]
    catalogue: dict[str, float]
    statements: dict[str, list[int]]
    minutes: float


TEMPLATE = Path(__file__).with_suffix(".md")
_CATALOGUE = {"median": "median", "p95": "p95: 19 of 20 pages are faster"}
_AGAINST = {"begin": "begin (until Khalti's page is open)", "return": "first return", "replay": "replay"}


def render(results: Results) -> str:
    """Return the page."""
    passes = len(results.reconcile["Initiated"])
    return TEMPLATE.read_text(encoding="utf-8").format(
        when=results.when,
        commit=results.commit,
        machine=results.machine,
        options=results.options,
        minutes=max(results.minutes, 1),
        loops=results.loops,
        clients=results.clients,
        against_update=table(
            ["a guest's", "time ÷ one-row update", "CPU ÷ one-row update"],
            [[_AGAINST[name], *ratios] for name, ratios in results.against_update.items()],
        ),
        at_once_number=next(iter(results.at_once.values()))[0],
        at_once=table(
            ["", "browsers", "orders delivered", "lookups"],
            [[name, *figures] for name, figures in results.at_once.items()],
        ),
        payments=results.payments,
        passes="one pass" if passes == 1 else f"{passes} passes",
        reconcile=table(
            ["Khalti says of all", "part of the limit that is reached"],
            [[status, _of_passes(reached)] for status, reached in results.reconcile.items()],
        ),
        ledger=table(["verb", "time ÷ time"], list(results.ledger.items())),
        hung=int(results.catalogue["hung"]),
        catalogue=table(
            ["catalogue", "meanwhile ÷ before"],
            [[text, f"{results.catalogue[name]:.2f}"] for name, text in _CATALOGUE.items()],
        ),
        statements=table(
            ["page", "of this package", "all"],
            [[f"`{page}`", *counted] for page, counted in results.statements.items()],
        ),
        hosts=", ".join(f"{host} ([test](../{path}))" for host, path in HOSTS),
    )


def _of_passes(reached: list[float]) -> Any:
    return Ratio(sorted(reached)[len(reached) // 2], min(reached), max(reached))
