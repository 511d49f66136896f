"""The sites of ``examples/``: each has tests of its own, which run with its own settings."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sandbox import bootstrap

ROOT = Path(__file__).parents[2]
NAMES = [name for name in bootstrap.shops() if name != bootstrap.DEFAULT_SHOP]
NEEDED = {"salesman": "salesman"}
"""Packages of a site that are not installed everywhere."""


def run(name: str, var: Path, *arguments: str) -> None:
    """Run Python in the folder of an example, with a folder for what it writes."""
    if name in NEEDED and not find_spec(NEEDED[name]):
        pytest.skip(f"{NEEDED[name]} is not installed here")
    ours = ("DJANGO_", "PYTEST_", "KHALTI_", "SITE_URL", "PORT")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    # Without what else is installed here, and without asking whether the plugin is registered yet.
    environment |= {"PYTHONPATH": str(ROOT), "SANDBOX_VAR": str(var), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT / "examples" / name, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-6000:]}"


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_all_its_migrations_and_passes_the_checks(name: str, tmp_path: Path) -> None:
    """H10f"""
    run(name, tmp_path, "manage.py", "makemigrations", "--check", "--dry-run")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_the_tests_of_an_example_pass(name: str, tmp_path: Path) -> None:
    """H10f"""
    plugins = ["-p", "pytest_django.plugin", "-p", "loyalink_khalti.testing", "-p", "no:cacheprovider"]
    run(name, tmp_path, "-m", "pytest", "-q", *plugins)
