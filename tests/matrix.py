"""``python3 -m tests --matrix``: test the lowest and the highest versions of Python and of every package.

The lowest are the exact lower bounds in pyproject.toml. The highest are the newest Python on this machine and the
newest release of every package. Each has an environment of its own under ``.venv-matrix``.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox import children
from sandbox.bootstrap import NEEDED, ROOT, SetupError, wait_with_progress
from tests.__main__ import NO_TESTS, processes, start

FOLDER = ROOT / ".venv-matrix"
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9.]+)")
SHOWN = ("Django", "wagtail", "django-oscar", "psycopg", "requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A Python and the versions to install; ``constraints`` are pip's."""

    name: str
    interpreter: str
    constraints: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self) -> None:
        """Build the environment, unless it was built from the same versions. Raises ``SetupError`` when that fails."""
        stamp = self.folder / "built-from"
        wanted = self._fingerprint()
        if self.python.exists() and stamp.exists() and stamp.read_text() == wanted and self.name != "highest":
            return
        print(f"Installing the {self.name} versions with {self.interpreter}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        FOLDER.mkdir(exist_ok=True)
        constraints = FOLDER / f"{self.name}.txt"
        constraints.write_text("\n".join(self.constraints))
        pip = (self.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet")
        self._run(self.interpreter, "-m", "venv", self.folder)
        self._run(*pip, "--constraint", constraints, "--editable", f"{ROOT}[dev]")
        stamp.write_text(wanted)

    def versions(self) -> str:
        """Return the versions of Python and of the most important packages."""
        code = f"import sys, importlib.metadata as m; print(*sys.version_info[:3], *map(m.version, {SHOWN!r}))"
        found = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        named = [f"{name} {version}" for name, version in zip(SHOWN, found[3:], strict=True)]
        return ", ".join([f"Python {'.'.join(found[:3])}", *named])

    def _fingerprint(self) -> str:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        described = json.dumps([self.interpreter, self.constraints, project], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()

    def _run(self, *command: str | Path) -> None:
        child = children.start(command, cwd=ROOT)
        try:
            wait_with_progress(child)
        finally:
            children.stop(child)
        if child.returncode:
            raise SetupError(f"The {self.name} versions cannot be installed: see the output above.")


def run(arguments: list[str]) -> int:
    """Test both environments on both databases and print the results. Return the first code of a failure."""
    results = []
    with children.end_on_signals(), ExitStack() as stack:
        for environment in environments():
            environment.install()
            for database in ("sqlite", "postgresql"):
                began = time.monotonic()
                print(f"\n{environment.name} on {database}: {environment.versions()}", flush=True)
                options = [*processes(arguments), "--lints=without", *arguments]
                code = int(start(stack, database, options, python=str(environment.python)).wait())
                results.append((environment, database, code, time.monotonic() - began))
    print("\nThe matrix:")
    for environment, database, code, seconds in results:
        outcome = "passed" if code in (0, NO_TESTS) else f"FAILED ({code})"
        print(f"  {environment.name:8} {database:11} {outcome:12} {seconds:5.0f} s  {environment.versions()}")
    return next((code for _, _, code, _ in results if code not in (0, NO_TESTS)), 0)


def environments() -> Iterator[Environment]:
    """Yield the lowest and the highest environment. Raises ``SetupError`` when the oldest Python is missing."""
    found = interpreters()
    if NEEDED not in found:
        raise SetupError("The matrix needs Python {}.{}: install it beside the newest one.".format(*NEEDED))
    yield Environment(name="lowest", interpreter=found[NEEDED], constraints=tuple(lower_bounds()))
    yield Environment(name="highest", interpreter=found[max(found)])


def interpreters() -> dict[tuple[int, int], str]:
    """Return the Pythons of this machine that the project supports, by their version."""
    names = [f"python3.{minor}" for minor in range(NEEDED[1], 30)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [*map(shutil.which, names), *map(str, sorted(pyenv.glob("versions/*/bin/python3"))), sys.executable]
    found: dict[tuple[int, int], str] = {}
    for candidate in filter(None, candidates):
        code = "import sys, ensurepip; print(*sys.version_info[:2])"
        answer = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            major, minor = map(int, answer.stdout.split())
            if (major, minor) >= NEEDED:
                found.setdefault((major, minor), candidate)
    return found


def lower_bounds() -> Iterator[str]:
    """Yield the lower bound of every requirement in pyproject.toml as an exact version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirements in (project["dependencies"], *project["optional-dependencies"].values()):
        for requirement in requirements:
            if found := REQUIREMENT.match(requirement):
                yield f"{found[1]}=={found[2]}"
