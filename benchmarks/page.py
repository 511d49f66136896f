"""docs/benchmarks.md, written from the figures of one run."""

from dataclasses import dataclass
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


TEMPLATE = """\
# Benchmarks

What a purchase costs with this package, beside others that do a part of the same. **Every figure is a ratio** of two things measured
in turn in one run, with its quartiles (the half of all rounds lies between them). Times in seconds are promised nowhere: they are
those of a machine. This page is written by the program itself:

    python3.12 -m benchmarks            # about {minutes:.0f} minutes; prints this page (--write puts it into docs/benchmarks.md)
    python3.12 -m benchmarks --quick    # smaller sizes, to see that it runs

It needs Python 3.12 or newer, because django-getpaid 3.2.0 does, and builds an environment of its own (`.venv-bench`, the
extra `bench`). It starts what it needs, PostgreSQL too, and stops it. `python3.12 -m benchmarks.loops` and `…clients` run one
part alone, and `--profile` shows where its time goes.

Last run: {when}, commit `{commit}`, {machine}{options}.

## Full loops: what a paid order costs

One thread, PostgreSQL 18, Khalti without latency. A loop is a whole sale of one line: the order is written, Khalti opens a
payment, the customer returns, lookup says Completed, the order is paid. django-getpaid is a general payment package for Django; its
Khalti processor here is ours ([`benchmarks/getpaid_khalti`](../benchmarks/getpaid_khalti/processor.py)), as short as its
documentation allows. It keeps no basket, no points, no flags; it calls Khalti while its transaction is open, and looks again
at every return.

{loops}

*For a shop:* the CPU column says how many sales one core can make. A shop's own pages cost far more than this.
PostgreSQL runs without waiting for the disk, for both alike: on a disk that is waited for, each has as many commits as before and
the ratios come closer to 1.

## A return and a replay

In multiples of the smallest write there is: one row updated by its key, and committed. A replay is the return of a payment that
is settled already: a reload, a second tab, a link opened again.

{against_update}

*For a shop:* reloading a return page costs a few such writes, and changes nothing.

## {at_once_number} browsers come back at once with the same payment

{at_once}

*For a shop:* one sale stays one sale, and Khalti is asked once. A shop on django-getpaid has to make its delivery safe itself.

## The client alone

Initiate and lookup without a database. The floor sends the same two requests by `http.client` and checks nothing.

{clients}

*For a shop:* the deadline, the checks of addresses and answers, the circuit breaker and the bound on calls at once cost less than what
other clients lose on the way.

## The reconciler against Khalti's own latency

{payments:,} payments wait; Khalti takes 200 ms for each lookup; 32 calls are in flight, over all cores. Nothing can be faster than
1. The figure is the middle one of {passes}, with the lowest and the highest.

{reconcile}

*For a shop:* after an outage the waiting payments are looked up about as fast as Khalti answers.

## Points at size

How many times as long a verb takes for a member with a long history, or with many lots (points that expire on days of their own),
as for one with few. 1 means that the size does not matter.

{ledger}

*For a shop:* customers who buy for years wait no longer than new ones.

## The catalogue while Khalti hangs

The demo store (Oscar, SQLite, two processes of four threads); {hung} customers come back at once, and Khalti answers none of them. In
multiples of the same page before:

{catalogue}

*For a shop:* when Khalti hangs, the shop sells on: only a bounded number of threads may wait for Khalti, the other customers see
"being confirmed" at once.

## Statements that a checkout page has more

In Oscar, as a member with points who pays with Khalti; of this package alone, beside all of the page:

{statements}

Tests assert them for every host: {hosts}.
"""

_CATALOGUE = {"median": "median", "p95": "p95: 19 of 20 pages are faster"}
_AGAINST = {"begin": "begin (until Khalti's page is open)", "return": "first return", "replay": "replay"}


def render(results: Results) -> str:
    """Return the page."""
    passes = len(results.reconcile["Initiated"])
    return TEMPLATE.format(
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
