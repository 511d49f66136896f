"""One run of all measurements, in an order in which none meets the leavings of another."""

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks import clients, ledgers, loops, pages, reconciling, returns, servers
from benchmarks.bootstrap import ROOT
from benchmarks.page import Results


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much a run measures."""

    rounds: int
    calls: int
    payments: int
    passes: int
    entries: int
    lots: int
    seconds: float
    options: str = ""


FULL = Sizes(rounds=12, calls=20, payments=1000, passes=3, entries=1_000_000, lots=10_000, seconds=8)
QUICK = Sizes(
    rounds=2, calls=3, payments=100, passes=1, entries=10_000, lots=500, seconds=4, options=", with `--quick`"
)


def measure(sizes: Sizes) -> Results:
    """Start the servers, measure, stop them. Progress goes to the standard error."""
    began = time.monotonic()

    def progress(what: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {what}", file=sys.stderr, flush=True)

    with servers.khalti_stub() as khalti:
        progress("client loops")
        client_table = clients.measure(khalti, rounds=sizes.rounds, calls=sizes.calls * 4)
        progress("PostgreSQL, migrated")
        with servers.django_on_postgresql(khalti):
            progress("reconciler")  # first: it forks, and what other measurements leave waiting it would look up, too
            reached = reconciling.measure(khalti, payments=sizes.payments, rounds=sizes.passes)
            progress("full loops")
            loop_table = loops.measure(rounds=sizes.rounds, calls=sizes.calls)
            progress("returns against a one-row update")
            against_update = returns.against_update(rounds=sizes.rounds, calls=sizes.calls // 2 or 1)
            progress("returns at once")
            at_once = returns.all_at_once(khalti)
            progress("points at size")
            ledger = ledgers.measure(
                entries=sizes.entries, lots=sizes.lots, rounds=sizes.rounds, calls=max(sizes.calls // 4, 2)
            )
        progress("the demo store")
        catalogue, statements = pages.measure(khalti, seconds=sizes.seconds)
        progress("done")
    return Results(
        when=datetime.now(UTC).strftime("%Y-%m-%d"),
        commit=_commit(),
        machine=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}{_versions()}",
        options=sizes.options,
        loops=loop_table,
        clients=client_table,
        against_update=against_update,
        at_once=at_once,
        reconcile=reached,
        payments=sizes.payments,
        ledger=ledger,
        catalogue={**catalogue, "hung": pages.HUNG},
        statements=statements,
        minutes=(time.monotonic() - began) / 60,
    )


def _versions() -> str:
    from importlib.metadata import version

    return "".join(f", {name} {version(name)}" for name in ("Django", "psycopg", "requests"))


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
