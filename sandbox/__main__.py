"""``python3 -m sandbox``: run the demo store, or an example, and a simulated Khalti. Needs nothing but a Python.

Any Python 3 must be able to read this file, like ``bootstrap.py``.
"""

import argparse
import os
import socket
from typing import List, Optional

from sandbox import bootstrap

LAST_PORT = 65535


def prepare(arguments: "Optional[List[str]]" = None) -> argparse.Namespace:
    """Return the options of the command line.

    Raises ``SetupError`` when a port is not usable: that is checked before anything is built.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m sandbox", description="Runs a demo shop beside a simulated Khalti."
    )
    parser.add_argument(
        "--shop",
        choices=bootstrap.shops(),
        default=bootstrap.DEFAULT_SHOP,
        help="oscar: the demo store, Saraswati Stationery (the default); others: the folders of examples/",
    )
    parser.add_argument("--port", type=int, help="the shop's port (PORT, or 8000)")
    parser.add_argument("--simulator-port", type=int, help="the simulated Khalti's port (the shop's + 1000)")
    parser.add_argument(
        "--reset", action="store_true", help="delete the shop's orders, pages, pictures and points first"
    )
    chosen = parser.parse_args(arguments)
    chosen.khalti = os.environ.get("KHALTI_BASE_URL") or ""
    if chosen.port is None:
        chosen.port = _number(os.environ.get("PORT") or "8000")
    if chosen.simulator_port is None:
        chosen.simulator_port = chosen.port + 1000
    check_port(chosen.port, "--port")
    if not chosen.khalti:
        check_port(chosen.simulator_port, "--simulator-port")
    return chosen


def check_port(port: int, flag: str) -> None:
    """Check that ``port`` exists and is free. Raises ``SetupError`` when it is not."""
    if not 0 < port <= LAST_PORT:
        raise bootstrap.SetupError(
            "Port {} does not exist: choose one up to {} with {}.".format(port, LAST_PORT, flag)
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "Port {} cannot be used ({})".format(port, error.strerror)
            raise bootstrap.SetupError(
                "{}: stop the program that uses it, or choose another with {}.".format(reason, flag)
            )


def _number(text: str) -> int:
    if not text.isdigit():
        raise bootstrap.SetupError("PORT is {!r}, which is not a port: set it to a number, or unset it.".format(text))
    return int(text)


def run(chosen: argparse.Namespace) -> int:
    """Run the shop until a signal ends it."""
    from sandbox import store  # an old Python cannot read this module

    return store.run(chosen)


if __name__ == "__main__":
    bootstrap.main("sandbox", prepare, run, lambda chosen: bootstrap.needed_packages(chosen.shop))
