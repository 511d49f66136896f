"""Runs the store and the simulated Khalti as two child processes, and ends them together."""

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
from sandbox.bootstrap import ROOT, Trouble, tell_time

PORT = 8000
GUNICORN = (
    *("--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    *("--log-level", "warning", "--no-control-socket", "--graceful-timeout", "5"),
)
BANNER = """
  Saraswati Stationery is open:  {site}/

    {site}/shop/             the shop
    {site}/admin/            Wagtail: pages, Khalti's key, reports (editor, admin)
    {site}/shop/dashboard/   Oscar's dashboard (admin)
    {site}/sandbox/mail/     the mails that it sent
    {khalti}   Khalti{which}

  Accounts, all with the password  saraswati-demo
    sita@example.com   a customer with 1,200 points
    ram@example.com    a customer with 300 points
    gita@example.com   a customer who has yet to earn
    editor             settings, reports, refunds
    admin              everything

  What to try
    1 As sita, buy pens, spend 200 points and pay on Khalti's page{payer}
    2 Cancel there instead: basket and points are as they were.
    3 Pay, but close the tab before it comes back; then complete the order with
      {python} -m sandbox.manage khalti_reconcile
    4 Check every rupee and every point with
      {python} -m sandbox.manage loyalink_audit --json

  Ctrl-C ends it; --reset begins anew.
"""


def run(chosen: argparse.Namespace) -> int:
    """Prepare the store, run the two children until a signal comes, and end with 1 if one of them ends by itself."""
    var = Path(os.environ.get("SANDBOX_VAR") or ROOT / "sandbox" / "var")
    environment = _environment(chosen)
    with children.end_on_signals(), ExitStack() as stack:
        if chosen.reset:
            reset(var, os.environ.get("DATABASE_URL") or "")
        _check_writable(var)
        print("Preparing the database; half a minute, the first time only", flush=True)
        _manage(environment, "The database cannot be migrated", "migrate", "--no-input", "--verbosity=0")
        _manage(environment, "The demo store cannot be loaded", "load_demo")

        running = {}
        for name, command, health in _commands(chosen, var):
            child = running[name] = children.start(command, cwd=ROOT, env=environment)
            stack.callback(children.stop, child)
            if not children.answers(health, child):
                raise Trouble(f"{name} does not start: what it said stands above.")
        print(_banner(chosen, environment), flush=True)

        ended = children.first_to_end(running)
        print(f"{ended} has ended by itself, so all of it ends.", file=sys.stderr, flush=True)
        return 1


def reset(var: Path, database_url: str) -> None:
    """Remove what the sandbox has written, and nothing else: its files in ``var``, and all of its database."""
    for name in ("media", "mail", "static"):
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
        raise Trouble(
            f"{var} cannot be written ({error.strerror}): make it writable for you, or name another folder in"
            " SANDBOX_VAR."
        ) from error


def _commands(chosen: argparse.Namespace, var: Path) -> Iterator[tuple[str, list[str], str]]:
    """Yield name, command line and health page of each child."""
    if not chosen.khalti:
        books = ["--port", str(chosen.simulator_port), "--db", str(var / "khalti.sqlite3")]
        simulator = [sys.executable, "-m", "loyalink_khalti.simulator", *books]
        yield "The simulated Khalti", simulator, f"http://127.0.0.1:{chosen.simulator_port}/healthz"
    address = f"127.0.0.1:{chosen.port}"
    gunicorn = [sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--bind", address, *GUNICORN]
    yield "The store", gunicorn, f"http://{address}/healthz"


def _environment(chosen: argparse.Namespace) -> dict[str, str]:
    return {**os.environ, "PORT": str(chosen.port), "KHALTI_BASE_URL": chosen.khalti or _simulated(chosen)}


def _manage(environment: dict[str, str], failure: str, *command: str) -> None:
    child = children.start([sys.executable, "-m", "sandbox.manage", *command], cwd=ROOT, env=environment)
    try:
        tell_time(child)
    finally:
        children.stop(child)
    if child.returncode:
        raise Trouble(f"{failure}: what was said stands above; `python3 -m sandbox --reset` begins anew.")


def _banner(chosen: argparse.Namespace, environment: dict[str, str]) -> str:
    site = (environment.get("SITE_URL") or f"http://127.0.0.1:{chosen.port}").rstrip("/")
    python = " ".join([*_unusual(chosen), ".venv/bin/python"])
    if chosen.khalti:
        which = ", named by KHALTI_BASE_URL: no simulated one was started"
        return BANNER.format(site=site, python=python, khalti=chosen.khalti, which=which, payer=".")
    return BANNER.format(
        site=site,
        python=python,
        khalti=f"http://127.0.0.1:{chosen.simulator_port}/panel/",
        which=", simulated: the tester's panel",
        payer=":\n      Khalti ID 9800000001, MPIN 1111, OTP 987654.",
    )


def _unusual(chosen: argparse.Namespace) -> Iterator[str]:
    """Yield what a command in another terminal must be told to find the same store and the same Khalti."""
    if chosen.port != PORT:
        yield f"PORT={chosen.port}"
    if not chosen.khalti and chosen.simulator_port != chosen.port + 1000:
        yield f"KHALTI_BASE_URL={_simulated(chosen)}"


def _simulated(chosen: argparse.Namespace) -> str:
    return f"http://127.0.0.1:{chosen.simulator_port}/api/v2/"
