"""Build ``.venv-bench`` beside ``.venv`` and restart the program inside it. Needs nothing but a Python 3.12 or newer.

Any Python 3 must be able to read this file, like ``sandbox/bootstrap.py``.
"""

import sys
from typing import Any, Callable

from sandbox import bootstrap
from sandbox.bootstrap import ROOT as ROOT

NEEDED = (3, 12)


def main(module: str, prepare: "Callable[[], Any]", run: "Callable[[Any], int]") -> None:
    """Call ``run`` with what ``prepare`` returned, in the environment of the extra ``bench``, and exit."""
    if sys.version_info[:2] < NEEDED:
        sys.exit(
            "The benchmarks need Python {}.{} or newer, because django-getpaid 3.2.0 does, and were started with {}:"
            " start them with a newer one, as in `python3.12 -m {}`.".format(
                NEEDED[0], NEEDED[1], ".".join(map(str, sys.version_info[:3])), module
            )
        )
    bootstrap.main(module, prepare, run, lambda _chosen: "bench")
