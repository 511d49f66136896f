"""``python -m loyalink_khalti.simulator``: serve until SIGINT or SIGTERM."""

import argparse
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence

from .server import Simulator


def main(argv: Sequence[str] | None = None) -> int:
    """Serve, and return the exit code: 0 after a signal, 1 with one sentence when the server cannot start."""
    options = _parser().parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        simulator = _simulator(options)
    except sqlite3.Error as exc:
        return _fail(f"cannot open the database {options.db} ({exc}): choose a writable file with --db.")
    except OSError as exc:
        reason = exc.strerror or str(exc)
        return _fail(f"cannot listen on {options.host}:{options.port} ({reason}): choose another port with --port.")
    except ValueError as exc:
        return _fail(f"{exc}.")
    with simulator:
        print(f"Khalti simulator: {simulator.base_url} (tester's panel: {simulator.url}/panel/)", flush=True)
        stop.wait()
    return 0


def _simulator(options: argparse.Namespace) -> Simulator:
    return Simulator(
        options.db,
        options.port,
        host=options.host,
        keys=options.key,
        link_lifetime=options.link_lifetime,
        fee_percent=options.fee_percent,
        old_payment_urls=options.old_payment_urls,
        merchant_limit=options.merchant_limit,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loyalink_khalti.simulator", description="A simulated Khalti. No money moves."
    )
    parser.add_argument("--port", type=_port, default=9911, help="default 9911; 0 picks a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--db", default="khalti-simulator.sqlite3", help="SQLite file, kept between runs")
    parser.add_argument("--key", action="append", default=[], help="accept only this secret key (repeatable)")
    parser.add_argument("--link-lifetime", default="1800", metavar="SECONDS")
    parser.add_argument("--fee-percent", default="3", metavar="PERCENT")
    parser.add_argument(
        "--merchant-limit", default=None, metavar="RUPEES", help="limit per payment; Khalti's is 200 before KYC"
    )
    parser.add_argument("--old-payment-urls", action="store_true", help="payment_url as before 2026: /?pidx=…")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _fail(message: str) -> int:
    print(f"Khalti simulator: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
