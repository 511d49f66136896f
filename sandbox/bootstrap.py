"""Build a virtual environment beside this folder and restart the program inside it. Needs nothing but a Python.

Any Python 3 must be able to read this file, so that an old one can report which version is needed: it keeps to the
syntax of Python 3.6.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (3, 11)
INCLUDED = {"sandbox": ("sandbox",), "dev": ("dev", "sandbox"), "salesman": ("salesman",), "bench": ("bench",)}
"""Which extras an installation of each one includes."""
FOLDERS = {"salesman": ".venv-salesman", "bench": ".venv-bench"}
"""Extras with an environment of their own, beside ``.venv``: Salesman 1.3 refuses Django 6, and the benchmarks install
packages that nothing else needs."""
INSTALLED = {"salesman": "sandbox,salesman"}
"""What pip installs, where that is more than the extra."""
EXAMPLES = "examples"
DEFAULT_SHOP = "oscar"
NETWORK_ERRORS = (
    "NewConnectionError", "Temporary failure", "getaddrinfo failed", "timed out", "ProxyError", "SSLError",
)  # fmt: skip


class SetupError(Exception):
    """A problem that the user can fix; the text says how, in one sentence."""


def main(
    module: str, prepare: "Callable[[], Any]", run: "Callable[[Any], int]", needs: "Callable[[Any], str]"
) -> None:
    """Call ``run`` with what ``prepare`` returned, in an environment with the extra that that ``needs``, and exit.

    Builds the environment first, and restarts ``python -m module`` in it, where that is needed.
    """
    try:
        check_machine()
        prepared = prepare()
        extra = needs(prepared)
        venv = Venv(ROOT, folder_of(extra))
        if not (venv.is_active() and venv.has(extra)):
            venv.provide(extra)
            venv.restart(module)
        sys.exit(run(prepared))
    except SetupError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def check_machine(
    version: "Tuple[int, ...]" = tuple(sys.version_info[:3]),
    system: str = os.name,
    find: "Callable[[str], object]" = importlib.util.find_spec,
) -> None:
    """Check that this Python and this system can run the project. Raises ``SetupError`` when they cannot."""
    if tuple(version[:2]) < NEEDED:
        raise SetupError(
            "This needs Python {}.{} or newer and was started with {}: install a newer Python (python.org, your"
            " system's packages) and start it with that, as in `python3.12 -m sandbox`.".format(
                NEEDED[0], NEEDED[1], ".".join(map(str, version))
            )
        )
    if system != "posix":
        raise SetupError("This runs on Linux and macOS: on Windows, start it inside WSL.")
    if not (find("venv") and find("ensurepip")):
        raise SetupError(
            "This Python comes without venv: install it (Debian, Ubuntu: `apt install python{}.{}-venv`) and start"
            " again.".format(*version[:2])
        )


def shops(root: Path = ROOT) -> "List[str]":
    """Return the names of the shops that can be run: the demo store, and the complete folders of ``examples/``."""
    folder = root / EXAMPLES
    found = [path.parent.name for path in folder.glob("*/demo.txt") if (path.parent / "manage.py").exists()]
    return [DEFAULT_SHOP] + sorted(found)


def needed_packages(shop: str) -> str:
    """Return the extra that a shop needs: its own, or the demo store's, which brings Wagtail."""
    return shop if shop in FOLDERS else "sandbox"


def folder_of(extra: str) -> str:
    """Return the folder of the environment in which an extra is installed."""
    return FOLDERS.get(extra, ".venv")


def interpreter(shop: str) -> str:
    """Return the path of the Python that runs a shop, from the project's folder."""
    return folder_of(needed_packages(shop)) + "/bin/python"


def restart_command(shop: str) -> str:
    """Return the command that starts a shop again."""
    return "python3 -m sandbox" + ("" if shop == DEFAULT_SHOP else " --shop " + shop)


class Venv:
    """A virtual environment of the project. A stamp for each extra records the requirements that were installed."""

    def __init__(self, root: Path, name: str = ".venv") -> None:
        self.root = root
        self.folder = root / name
        self.python = self.folder / "bin" / "python"
        self._unfinished = self.folder / "unfinished"
        self._log = self.folder / "install.log"

    def is_active(self) -> bool:
        """Return whether this Python runs in it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def has(self, extra: str) -> bool:
        """Return whether ``extra`` is installed completely, for this Python and the current pyproject.toml."""
        return self.python.exists() and not self._unfinished.exists() and self._read(extra) == self._fingerprint()

    def provide(self, extra: str) -> None:
        """Install ``extra`` where it is missing. A second process waits for the first.

        Raises ``SetupError`` when the folder cannot be written or the installation fails.
        """
        try:
            with self._locked():
                if not self.has(extra):
                    self._build(extra)
        except OSError as error:
            raise SetupError(
                "{} cannot be written ({}): make the project's folder writable for you, or use a copy of it that"
                " is.".format(self.folder, error.strerror)
            )

    def restart(self, module: str) -> None:
        """Replace this process by ``python -m module`` of this environment, with the same arguments."""
        os.chdir(str(self.root))  # where `-m` looks for the module
        sys.stdout.flush()
        os.execv(str(self.python), [str(self.python), "-m", module] + sys.argv[1:])

    def _build(self, extra: str) -> None:
        if not self._can_be_extended():
            shutil.rmtree(str(self.folder), ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            self._unfinished.touch()
            print("Building {} with Python {}.{}".format(self.folder, *sys.version_info[:2]), flush=True)
            base = getattr(sys, "_base_executable", None) or sys.executable
            self._run([base, "-m", "venv", str(self.folder)], "The virtual environment could not be made")
        self._unfinished.touch()
        print("Installing the packages; the first time this takes a minute or two", flush=True)
        pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        self._run(
            pip + ["--editable", "{}[{}]".format(self.root, INSTALLED.get(extra, extra))],
            "The packages could not be installed",
        )
        for name in INCLUDED[extra]:
            self._stamp(name).write_text(self._fingerprint())
        self._unfinished.unlink()

    def _can_be_extended(self) -> bool:
        """Return whether pip can add to it: it is complete and of this Python. A store may be running in it."""
        versions = {self._read(name).split(" ")[0] for name in INCLUDED} - {""}
        current = self._fingerprint().split(" ")[0]
        return self.python.exists() and not self._unfinished.exists() and versions <= {current}

    def _run(self, command: "Sequence[str]", failure: str) -> None:
        from sandbox import children  # an old Python cannot read this module

        with open(str(self._log), "ab") as log:
            child = children.start(command, stdout=log, stderr=log, cwd=str(self.root))
            try:
                wait_with_progress(child)
            finally:
                children.stop(child)
        if child.returncode:
            output = self._log.read_text(errors="replace")
            offline = any(sign in output for sign in NETWORK_ERRORS)
            reason = "is there a network?" if offline else _error_line(output)
            raise SetupError(
                "{}: {} Fix that and start again (the full output is in {}).".format(failure, reason, self._log)
            )

    def _fingerprint(self) -> str:
        """Return what an installation depends on: the Python, and the packages that pyproject.toml requires."""
        import tomllib  # new in Python 3.11

        with open(str(self.root / "pyproject.toml"), "rb") as file:
            project = tomllib.load(file)
        required = [project.get("build-system"), project["project"], project.get("tool", {}).get("hatch")]
        digest = hashlib.sha256(json.dumps(required, sort_keys=True).encode()).hexdigest()
        return "{}.{} {}".format(sys.version_info[0], sys.version_info[1], digest)

    def _stamp(self, extra: str) -> Path:
        return self.folder / "built-for-{}".format(extra)

    def _read(self, extra: str) -> str:
        stamp = self._stamp(extra)
        return stamp.read_text() if stamp.exists() else ""

    @contextmanager
    def _locked(self) -> "Iterator[None]":
        import fcntl  # does not exist on Windows

        with open(str(self.root / "pyproject.toml"), "rb") as file:  # a lock that needs no file of its own
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another process is building {}; waiting for it".format(self.folder.name), flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def wait_with_progress(child: "Any", every: int = 10) -> None:
    """Wait until ``child`` ends. Print the seconds that have passed, every ``every`` seconds."""
    began = time.monotonic()
    while True:
        try:
            child.wait(every)
            return
        except subprocess.TimeoutExpired:
            print("  … {:.0f} s".format(time.monotonic() - began), flush=True)


def _error_line(output: str) -> str:
    """Return the line that explains a failure: the last error of a program, else the last of pip, else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["there was no output"]
    for sign in ("Error: ", "ERROR: "):
        errors = [line for line in lines if sign in line]
        if errors:
            return errors[-1].rstrip(".") + "."
    return lines[-1].rstrip(".") + "."
