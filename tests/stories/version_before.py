"""The version before, taken out of git, beside this one: two stores on the database of the tests."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.test import override_settings

from loyalink_khalti.simulator import Simulator
from sandbox.home import pages
from tests.stories.running_store import ROOT, Store

BASELINE = "schema-baseline"
"""The tag of the commit whose code must run on every later schema: see "Migrations" in CONTRIBUTING.md."""


def unpack(tag: str, folder: Path) -> Path:
    """Unpack the code of ``tag`` and return its folder; skip the test in a clone without it."""
    if shutil.which("git") is None:
        pytest.skip(f"the code of {tag} is taken out of git, which is not installed")
    archive = folder / f"{tag}.zip"
    packed = subprocess.run(
        ["git", "archive", f"--output={archive}", tag], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if packed.returncode:
        reason = packed.stderr.strip().splitlines()[-1:]
        pytest.skip(f"no {tag} in this clone ({reason}): git fetch --unshallow --tags")
    code = folder / tag
    shutil.unpack_archive(archive, code)
    return code


@dataclass(frozen=True, slots=True)
class Fleet:
    """Workers of the version before and of this one, on one database and with one Khalti."""

    old: Store
    new: Store


@contextmanager
def mixed_fleet(folder: Path, media: Path) -> Iterator[Fleet]:
    """Run the demo store twice, in the version before and in this one, on the database of the tests."""
    with Simulator() as khalti:
        fleet = Fleet(
            old=Store(khalti, _folder(folder / "old", media), code=unpack(BASELINE, folder)),
            new=Store(khalti, _folder(folder / "new", media)),
        )
        with override_settings(SITE_URL=fleet.new.url):
            pages.update_address()
        try:
            for store in (fleet.old, fleet.new):
                store.start(workers=1, threads=4)
            yield fleet
        finally:
            fleet.old.stop()
            fleet.new.stop()


def _folder(folder: Path, media: Path) -> Path:
    folder.mkdir()
    (folder / "media").symlink_to(media)
    return folder
