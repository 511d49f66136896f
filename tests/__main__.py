"""``python3 -m tests [pytest's arguments]``: the lints, all tests on SQLite, and those of money on PostgreSQL.

Of the tests marked ``sampled``, and on PostgreSQL of those that do not depend on a database's SQL, locks or errors, a
run has a third, chosen by its seed, unless some are named or ``--all`` is asked for.
``--matrix`` runs them with the lowest and with the highest versions of everything: see ``tests/matrix.py``.
Any Python 3 must be able to read this file, like ``sandbox/bootstrap.py``.
"""

import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, List

from sandbox import bootstrap

NO_TESTS = 5  # pytest's exit code when no test is selected
ONE_PROCESS = {"--pdb", "--trace", "--collect-only", "--co"}
"""Arguments of pytest that cannot be distributed over processes."""


def prepare() -> "List[str]":
    """Return the arguments for pytest."""
    return sys.argv[1:]


def run(arguments: "List[str]") -> int:
    """Run the lints, the tests on SQLite and those on PostgreSQL side by side. Return the first code of a failure."""
    from sandbox import children  # an old Python cannot read this module

    if "--matrix" in arguments:
        from tests import matrix

        return matrix.run([argument for argument in arguments if argument != "--matrix"])
    tests = processes(arguments) + order(arguments) + sample(arguments) + ["--lints=without"] + arguments
    with children.end_on_signals(), ExitStack() as stack:
        # Side by side: many tests wait, for a server or for a time-out, and leave the processor to the others.
        lints = Later(stack, "The lints", "sqlite", ["--lints=only"] + arguments)
        second = Later(stack, "The tests of money, on PostgreSQL", "postgresql", tests)
        codes = [start(stack, "sqlite", tests).wait(), lints.wait(), second.wait()]
    failures = [code for code in codes if code not in (0, NO_TESTS)]
    return int(failures[0] if failures else min(codes))


class Later:
    """A run of pytest whose output is printed when it has ended."""

    def __init__(self, stack: ExitStack, title: str, database: str, arguments: "List[str]") -> None:
        self._title = title
        self._output = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
        self._child = start(stack, database, arguments, stdout=self._output, stderr=self._output)

    def wait(self) -> int:
        """Wait for the end, print the output and return the exit code."""
        code = self._child.wait()
        self._output.seek(0)
        print("\n{}:\n{}".format(self._title, self._output.read().decode(errors="replace")), flush=True)
        return int(code)


def processes(arguments: "List[str]") -> "List[str]":
    """Return the options that use every processor. An idle process takes over tests of a busy one."""
    if ONE_PROCESS.intersection(arguments):
        return []
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ["-n", str(count), "--dist", "worksteal"]


def order(arguments: "List[str]") -> "List[str]":
    """Return the option that repeats this run's random order, after printing it."""
    if any("randomly" in argument for argument in arguments):
        return []
    seed = "--randomly-seed={}".format(random.randrange(2**32))
    print("Tests in random order: {} repeats it".format(seed), flush=True)
    return [seed]


def sample(arguments: "List[str]") -> "List[str]":
    """Return the option that takes a third of some tests; what is named, or --all, runs whole."""
    is_named = any(each.startswith("-k") or Path(each.split("::")[0]).exists() for each in arguments)
    return [] if is_named or "--all" in arguments else ["--sample"]


def start(
    stack: ExitStack, database: str, arguments: "List[str]", python: str = sys.executable, **more: "Any"
) -> "Any":
    """Start pytest with a database of its own and stop it, where it still runs, at the end of ``stack``."""
    from sandbox import children

    # The compiled modules are kept: pytest rewrites every test module, and many tests start programs.
    environment = dict(os.environ, TEST_DATABASE=database, PYTHONPYCACHEPREFIX=sys.prefix + "/compiled")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Each run has a cache folder, so that --last-failed means the failures of this one.
    cache = "cache_dir=.pytest_cache/" + ("lints" if "--lints=only" in arguments else database)
    child = children.start([python, "-m", "pytest", "-o", cache] + arguments, env=environment, **more)
    stack.callback(children.stop, child)
    return child


if __name__ == "__main__":
    bootstrap.main("tests", prepare, run, lambda _arguments: "dev")
