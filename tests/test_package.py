"""``pip wheel .`` builds a wheel with every file that a shop needs, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = "loyalink_khalti"

pytestmark = [pytest.mark.lint, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    """A wheel that is built from a copy, as from a fresh clone."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / CODE, source / CODE, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run([*pip, "--wheel-dir", folder, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as file:
        yield file


@pytest.fixture
def wheel(wheel_file):
    """The names of its files."""
    return set(wheel_file.namelist())


def test_the_wheel_has_every_file_of_the_package(wheel):
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / CODE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sorted(files - wheel) == []


@pytest.mark.parametrize("kind", ["templates/", "static/", "locale/", "migrations/0001_", "py.typed"])
def test_the_wheel_has_the_files_that_are_not_code(wheel, kind):
    assert [name for name in wheel if name.startswith(f"{CODE}/{kind}")]


def test_the_wheel_has_no_file_of_the_store_or_the_tests(wheel):
    others = [name for name in wheel if not name.startswith((f"{CODE}/", f"{CODE}-"))]
    assert not [name for name in others if "dist-info" not in name]


def test_the_wheel_has_the_licence(wheel):
    assert [name for name in wheel if name.endswith("dist-info/licenses/LICENSE")]


def test_the_wheel_brings_the_pytest_plugin(wheel, wheel_file):
    """H10b"""
    (points,) = [name for name in wheel if name.endswith("dist-info/entry_points.txt")]

    assert "[pytest11]\nloyalink_khalti = loyalink_khalti.testing\n" in wheel_file.read(points).decode() + "\n"
