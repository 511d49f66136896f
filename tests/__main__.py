"""``python3 -m tests [what pytest takes]``: all tests on SQLite and, beside them, those of money on PostgreSQL.

Any Python 3 must be able to read this file, like ``sandbox/bootstrap.py``.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from typing import List

from sandbox import bootstrap

NO_TESTS = 5  # pytest's exit code where none was chosen


def prepare() -> "List[str]":
    """Return what pytest is to be told."""
    return sys.argv[1:]


def run(words: "List[str]") -> int:
    """Run both, each with a database of its own, and end with the first exit code that is not good."""
    from sandbox import children  # which an old Python cannot read

    pytest = [sys.executable, "-m", "pytest"]
    apart = ["-o", "cache_dir=.pytest_cache/postgresql"]
    with children.end_on_signals(), ExitStack() as stack:
        told = stack.enter_context(tempfile.TemporaryFile())
        second = children.start(
            pytest + apart + words, stdout=told, stderr=told, env=dict(os.environ, TEST_DATABASE="postgresql")
        )
        stack.callback(children.stop, second)
        first = children.start(pytest + words, env=dict(os.environ, TEST_DATABASE="sqlite"))
        stack.callback(children.stop, first)
        first.wait()
        second.wait()
        if second.returncode == NO_TESTS:
            return int(first.returncode)
        told.seek(0)
        print("\nThe tests of money once more, on PostgreSQL:\n" + told.read().decode(errors="replace"), end="")
    return int(first.returncode or second.returncode)


if __name__ == "__main__":
    bootstrap.main("tests", "dev", prepare, run)
