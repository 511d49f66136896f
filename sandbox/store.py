"""Run the store and the simulated Khalti as two child processes, and stop them together."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from sandbox import children
from sandbox.bootstrap import ROOT, SetupError, wait_with_progress

PORT = 8000
GUNICORN = (
    *("--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    *("--log-level", "warning", "--no-control-socket", "--graceful-timeout", "5"),
)
BANNER = """
  Saraswati Stationery is running:  {site}/

    {site}/shop/             the shop
    {site}/admin/            Wagtail: pages, payments, members, settings, reports (editor, accountant, admin)
    {site}/shop/dashboard/   Oscar's dashboard (admin)
    {site}/sandbox/mail/     the mails that the store has sent
    {khalti}   Khalti{which}

  Accounts, all with the password  saraswati-demo
    sita@example.com   a customer with 1,200 points
    ram@example.com    a customer with 300 points
    gita@example.com   a customer without points
    editor             pages, orders, refunds, points, settings, reports
    accountant         payments and reports
    admin              everything

  What to try
    1 As sita, buy pens, use 200 points and pay on Khalti's page{login}
    2 Cancel there instead: basket and points are unchanged.
    3 Pay, but close the tab before it returns to the store; then complete the order with
      {python} -m sandbox.manage khalti_reconcile
    4 Check every rupee and every point with
      {python} -m sandbox.manage loyalink_audit --json

  Ctrl-C stops the store; --reset deletes its data first.
"""


def run(chosen: argparse.Namespace) -> int:
    """Prepare the store and run both processes until a signal comes. Return 1 when one of them ends by itself.

    Raises ``SetupError`` when the data folder cannot be written or a process does not start.
    """
    var = Path(os.environ.get("SANDBOX_VAR") or ROOT / "sandbox" / "var")
    environment = _environment(chosen)
    with children.end_on_signals(), ExitStack() as stack:
        if chosen.reset:
            reset(var, os.environ.get("DATABASE_URL") or "")
        _check_writable(var)
        print("Preparing the database; the first time this takes half a minute", flush=True)
        _manage(environment, "The database cannot be migrated", "migrate", "--no-input", "--verbosity=0")
        _manage(environment, "The demo store cannot be loaded", "load_demo")

        running = {}
        for name, command, health in _commands(chosen, var):
            child = running[name] = children.start(command, cwd=ROOT, env=environment)
            stack.callback(children.stop, child)
            if not children.responds(health, child):
                raise SetupError(f"{name} does not start: see its output above.")
        print(_banner(chosen, environment), flush=True)

        ended = children.first_to_end(running)
        print(f"{ended} has ended unexpectedly, so everything stops.", file=sys.stderr, flush=True)
        return 1


def reset(var: Path, database_url: str) -> None:
    """Delete what the sandbox has written, and nothing else: its files in ``var`` and its whole database."""
    for name in ("media", "mail", "static", "cache"):
        shutil.rmtree(var / name, ignore_errors=True)
    address = urlsplit(database_url)
    if address.scheme.startswith("postgres"):
        with psycopg.connect(database_url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
    files = [var / "store.sqlite3", var / "khalti.sqlite3"]
    if address.scheme == "sqlite":
        files.append(Path(address.path.removeprefix("/")))
    for file in files:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def _check_writable(var: Path) -> None:
    try:
        var.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=var):
            pass
    except OSError as error:
        raise SetupError(
            f"{var} cannot be written ({error.strerror}): make it writable for you, or set SANDBOX_VAR to another"
            " folder."
        ) from error


def _commands(chosen: argparse.Namespace, var: Path) -> Iterator[tuple[str, list[str], str]]:
    """Yield name, command line and health page of each process."""
    if not chosen.khalti:
        options = ["--port", str(chosen.simulator_port), "--db", str(var / "khalti.sqlite3")]
        simulator = [sys.executable, "-m", "loyalink_khalti.simulator", *options]
        yield "The simulated Khalti", simulator, f"http://127.0.0.1:{chosen.simulator_port}/healthz"
    address = f"127.0.0.1:{chosen.port}"
    gunicorn = [sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--bind", address, *GUNICORN]
    yield "The store", gunicorn, f"http://{address}{_path()}/healthz"


def _environment(chosen: argparse.Namespace) -> dict[str, str]:
    """Return the environment of both processes; gunicorn serves the store below the path of ``SITE_URL``."""
    more = {"SCRIPT_NAME": _path()} if _path() else {}
    return {**os.environ, "PORT": str(chosen.port), "KHALTI_BASE_URL": chosen.khalti or _simulated(chosen), **more}


def _path() -> str:
    return urlsplit((os.environ.get("SITE_URL") or "").rstrip("/")).path


def _manage(environment: dict[str, str], failure: str, *command: str) -> None:
    child = children.start([sys.executable, "-m", "sandbox.manage", *command], cwd=ROOT, env=environment)
    try:
        wait_with_progress(child)
    finally:
        children.stop(child)
    if child.returncode:
        raise SetupError(f"{failure}: see the output above, or delete its data with `python3 -m sandbox --reset`.")


def _banner(chosen: argparse.Namespace, environment: dict[str, str]) -> str:
    site = (environment.get("SITE_URL") or f"http://127.0.0.1:{chosen.port}").rstrip("/")
    python = " ".join([*_other_settings(chosen), ".venv/bin/python"])
    if chosen.khalti:
        which = ", from KHALTI_BASE_URL: no simulator was started"
        return BANNER.format(site=site, python=python, khalti=chosen.khalti, which=which, login=".")
    return BANNER.format(
        site=site,
        python=python,
        khalti=f"http://127.0.0.1:{chosen.simulator_port}/panel/",
        which=", simulated: the tester's panel",
        login=":\n      Khalti ID 9800000001, MPIN 1111, OTP 987654.",
    )


def _other_settings(chosen: argparse.Namespace) -> Iterator[str]:
    """Yield the environment variables that a command in another terminal needs to use the same store and Khalti."""
    if chosen.port != PORT:
        yield f"PORT={chosen.port}"
    if not chosen.khalti and chosen.simulator_port != chosen.port + 1000:
        yield f"KHALTI_BASE_URL={_simulated(chosen)}"


def _simulated(chosen: argparse.Namespace) -> str:
    return f"http://127.0.0.1:{chosen.simulator_port}/api/v2/"
