"""``python3.12 -m benchmarks``: measure this package and its peers in turn, and print docs/benchmarks.md.

Any Python 3 must be able to read this file, like ``bootstrap.py``.
"""

import argparse
import sys

from benchmarks import bootstrap


def prepare() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python3.12 -m benchmarks", description="Measures this package and its peers; prints docs/benchmarks.md."
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md, too")
    return parser.parse_args()


def run(chosen: argparse.Namespace) -> int:
    """Measure, and print the page."""
    from benchmarks import everything, page  # an old Python cannot read these modules
    from sandbox.children import end_on_signals

    with end_on_signals():
        text = page.render(everything.measure(everything.QUICK if chosen.quick else everything.FULL))
    if chosen.write:
        (bootstrap.ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    bootstrap.main("benchmarks", prepare, run)
