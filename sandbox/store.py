"""Run a demo shop and the simulated Khalti as two child processes, and stop them together."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from sandbox import children
from sandbox.bootstrap import ROOT, SetupError, interpreter, restart_command, wait_with_progress
from sandbox.shops import DemoShop, demo_shop

PORT = 8000
SERVER = "The store"


def run(chosen: argparse.Namespace) -> int:
    """Prepare the store and run both processes until a signal comes. Return 1 when one of them ends by itself.

    Raises ``SetupError`` when the data folder cannot be written or a process does not start.
    """
    shop = demo_shop(chosen.shop)
    environment = _environment(chosen, shop)
    with children.end_on_signals(), ExitStack() as stack:
        if chosen.reset:
            reset(shop.var, shop.database_url)
        _check_writable(shop.var)
        print("Preparing the database; the first time this takes half a minute", flush=True)
        for failure, *command in (
            ("The database cannot be migrated", "migrate", "--no-input", "--verbosity=0"),
            ("The demo shop cannot be loaded", "load_demo"),
        ):
            _manage(
                [sys.executable, *shop.manage, *command],
                environment,
                f"{failure}: see the output above, or delete its data with `{restart_command(chosen.shop)} --reset`.",
            )

        running = {}
        for name, command, health in _commands(chosen, shop):
            # What a server of a demo shop says on its standard output is of use to developers of Django alone.
            quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL} if name == SERVER else {}
            child = running[name] = children.start(command, cwd=ROOT, env=environment, **quiet)
            stack.callback(children.stop, child)
            if not children.responds(health, child):
                raise SetupError(f"{name} does not start: see its output above.")
        print(_banner(chosen, shop, environment), flush=True)

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


def _commands(chosen: argparse.Namespace, shop: DemoShop) -> Iterator[tuple[str, list[str], str]]:
    """Yield name, command line and health page of each process."""
    if not chosen.khalti:
        options = ["--port", str(chosen.simulator_port), "--db", str(shop.var / "khalti.sqlite3")]
        simulator = [sys.executable, "-m", "loyalink_khalti.simulator", *options]
        yield "The simulated Khalti", simulator, f"http://127.0.0.1:{chosen.simulator_port}/healthz"
    address = f"127.0.0.1:{chosen.port}"
    yield SERVER, shop.server(address), shop.health(address)


def _environment(chosen: argparse.Namespace, shop: DemoShop) -> dict[str, str]:
    """Return the environment of both processes."""
    khalti = chosen.khalti or _simulated(chosen)
    return {**os.environ, "PORT": str(chosen.port), "KHALTI_BASE_URL": khalti, **shop.environment()}


def _manage(command: list[str], environment: dict[str, str], failure: str) -> None:
    child = children.start(command, cwd=ROOT, env=environment)
    try:
        wait_with_progress(child)
    finally:
        children.stop(child)
    if child.returncode:
        raise SetupError(failure)


def _banner(chosen: argparse.Namespace, shop: DemoShop, environment: dict[str, str]) -> str:
    which, login = ", from KHALTI_BASE_URL: no simulator was started", "."
    khalti = chosen.khalti
    if not khalti:
        khalti = f"http://127.0.0.1:{chosen.simulator_port}/panel/"
        which = ", simulated: the tester's panel"
        login = ":\n      Khalti ID 9800000001, MPIN 1111, OTP 987654."
    manage = " ".join([*_other_settings(chosen), interpreter(chosen.shop), shop.shown_manage])
    site = (environment.get("SITE_URL") or f"http://127.0.0.1:{chosen.port}").rstrip("/")
    return f"\n  {shop.banner.format(site=site, manage=manage, khalti=khalti, which=which, login=login)}"


def _other_settings(chosen: argparse.Namespace) -> Iterator[str]:
    """Yield the environment variables that a command in another terminal needs to use the same store and Khalti."""
    if chosen.port != PORT:
        yield f"PORT={chosen.port}"
    if not chosen.khalti and chosen.simulator_port != chosen.port + 1000:
        yield f"KHALTI_BASE_URL={_simulated(chosen)}"


def _simulated(chosen: argparse.Namespace) -> str:
    return f"http://127.0.0.1:{chosen.simulator_port}/api/v2/"
