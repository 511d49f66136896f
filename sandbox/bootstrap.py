"""Builds ``.venv`` beside this folder and starts again inside it, from nothing but a Python.

Any Python 3 must be able to read this file, to say which one it takes; so it is written in the syntax of 3.6.
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
from typing import Any, Callable, Iterator, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (3, 11)
COMES_WITH = {"sandbox": ("sandbox",), "dev": ("dev", "sandbox")}
NO_ANSWER = ("NewConnectionError", "Temporary failure", "getaddrinfo failed", "timed out", "ProxyError", "SSLError")


class Trouble(Exception):
    """What a person can mend; the text says how, in one sentence."""


def main(module: str, extra: str, prepare: "Callable[[], Any]", run: "Callable[[Any], int]") -> None:
    """Inside ``.venv`` with ``extra`` installed, building it if need be, ``run`` what ``prepare`` returned; exit."""
    try:
        check_machine()
        prepared = prepare()
        venv = Venv(ROOT)
        if not (venv.is_active() and venv.has(extra)):
            venv.provide(extra)
            venv.start_again(module)
        sys.exit(run(prepared))
    except Trouble as trouble:
        sys.exit(str(trouble))
    except KeyboardInterrupt:
        sys.exit(130)


def check_machine(
    version: "Tuple[int, ...]" = tuple(sys.version_info[:3]),
    system: str = os.name,
    find: "Callable[[str], object]" = importlib.util.find_spec,
) -> None:
    """Raise Trouble where this Python or this system cannot do it."""
    if tuple(version[:2]) < NEEDED:
        raise Trouble(
            "This needs Python {}.{} or newer and was started with {}: install a newer Python (python.org, your"
            " system's packages) and start it with that, as in `python3.12 -m sandbox`.".format(
                NEEDED[0], NEEDED[1], ".".join(map(str, version))
            )
        )
    if system != "posix":
        raise Trouble("This runs on Linux and macOS: on Windows, start it inside WSL.")
    if not (find("venv") and find("ensurepip")):
        raise Trouble(
            "This Python comes without venv: install it (Debian, Ubuntu: `apt install python{}.{}-venv`) and start"
            " again.".format(*version[:2])
        )


class Venv:
    """The project's ``.venv``: for each extra a stamp says what it was built from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self._unfinished = self.folder / "unfinished"
        self._log = self.folder / "install.log"

    def is_active(self) -> bool:
        """Tell whether this very Python runs in it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def has(self, extra: str) -> bool:
        """Tell whether it is whole, and built for ``extra`` from the project as it is now, with this Python."""
        return self.python.exists() and not self._unfinished.exists() and self._read(extra) == self._mark()

    def provide(self, extra: str) -> None:
        """Build what is missing; whoever starts at the same time waits."""
        try:
            with self._alone():
                if not self.has(extra):
                    self._build(extra)
        except OSError as error:
            raise Trouble(
                "{} cannot be written ({}): make the project's folder writable for you, or use a copy of it that"
                " is.".format(self.folder, error.strerror)
            )

    def start_again(self, module: str) -> None:
        """Become ``python -m module`` of this environment, with the same arguments."""
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
        print("Installing what is needed; from nothing this takes a minute or two", flush=True)
        pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        self._run(pip + ["--editable", "{}[{}]".format(self.root, extra)], "The packages could not be installed")
        for name in COMES_WITH[extra]:
            self._stamp(name).write_text(self._mark())
        self._unfinished.unlink()

    def _can_be_extended(self) -> bool:
        """Tell whether it is whole and of this Python, so that a store that runs in it need not be disturbed."""
        versions = {self._read(name).split(" ")[0] for name in COMES_WITH} - {""}
        return self.python.exists() and not self._unfinished.exists() and versions <= {self._mark().split(" ")[0]}

    def _run(self, command: "Sequence[str]", failure: str) -> None:
        from sandbox import children  # which an old Python cannot read

        with open(str(self._log), "ab") as log:
            child = children.start(command, stdout=log, stderr=log, cwd=str(self.root))
            try:
                tell_time(child)
            finally:
                children.stop(child)
        if child.returncode:
            said = self._log.read_text(errors="replace")
            reason = "is there a network?" if any(sign in said for sign in NO_ANSWER) else _reason(said)
            raise Trouble(
                "{}: {} Once that is mended, start again (all that was said is in {}).".format(
                    failure, reason, self._log
                )
            )

    def _mark(self) -> str:
        """Name what an installation depends on: the Python, and the packages that pyproject.toml asks for."""
        import tomllib  # not there in a Python that is too old

        with open(str(self.root / "pyproject.toml"), "rb") as file:
            project = tomllib.load(file)
        asked = [project.get("build-system"), project["project"], project.get("tool", {}).get("hatch")]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return "{}.{} {}".format(sys.version_info[0], sys.version_info[1], digest)

    def _stamp(self, extra: str) -> Path:
        return self.folder / "built-for-{}".format(extra)

    def _read(self, extra: str) -> str:
        stamp = self._stamp(extra)
        return stamp.read_text() if stamp.exists() else ""

    @contextmanager
    def _alone(self) -> "Iterator[None]":
        import fcntl  # not there on Windows

        with open(str(self.root / "pyproject.toml"), "rb") as file:  # a lock that needs no file of its own
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another start is building .venv; waiting for it", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def tell_time(child: "Any", every: int = 10) -> None:
    """Wait for ``child``, saying every few seconds that it still works."""
    began = time.monotonic()
    while True:
        try:
            child.wait(every)
            return
        except subprocess.TimeoutExpired:
            print("  … {:.0f} s".format(time.monotonic() - began), flush=True)


def _reason(said: str) -> str:
    """Choose the line that tells most: an error's own words, else what pip calls an error, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["nothing was said"]
    for sign in ("Error: ", "ERROR: "):
        telling = [line for line in lines if sign in line]
        if telling:
            return telling[-1].rstrip(".") + "."
    return lines[-1].rstrip(".") + "."
