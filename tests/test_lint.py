"""The source is as it should be: style, types, the direction of imports, templates, docs."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LONG = 350
MODULE = re.compile(r"python3? -m ([A-Za-z_][\w.]*)")


def project_files(pattern):
    """What is, or is about to be, under version control; an unpacked archive has no git, and no such lints."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def name(path):
    return str(path.relative_to(ROOT))


TEMPLATES = project_files("*.html")
DOCS = project_files("*.md")

pytestmark = [pytest.mark.lint, pytest.mark.timeout(600)]


def run(*command):
    done = subprocess.run([str(TOOLS / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command[:3])}\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing():
    run("ruff", "check", ".")


def test_the_code_is_formatted():
    run("ruff", "format", "--check", ".")


@pytest.mark.parametrize("package", ["loyalink_khalti", "sandbox"])
def test_the_types_are_strict_and_right(package):
    run("mypy", package)


def test_imports_flow_down():
    run("lint-imports", "--no-logo")


def test_templates_are_sound():
    # Its rules only: its formatter breaks lines inside titles and links, where a space shows.
    run("djlint", "--lint", "--quiet", *map(str, TEMPLATES))


@pytest.mark.parametrize("page", [*TEMPLATES, *DOCS], ids=name)
def test_lines_end_where_their_words_do(page):
    text = page.read_text()
    assert [number for number, line in enumerate(text.splitlines(), 1) if line != line.rstrip() or "\t" in line] == []
    assert text == "" or text.endswith("\n")


def test_modules_are_read_in_one_sitting():
    long = {
        name(path): lines
        for path in project_files("loyalink_khalti/*.py") + project_files("sandbox/*.py")
        if "migrations" not in path.parts and (lines := len(path.read_text().splitlines())) > LONG
    }
    assert not long


def test_nothing_is_left_for_later():
    later = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    left = [
        f"{name(path)}:{number}"
        for path in project_files("*.py") + TEMPLATES
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if later.search(line)
    ]
    assert not left


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_links_in_the_docs_lead_somewhere(page):
    text = FENCE.sub("", page.read_text())
    targets = [target.partition("#")[0] for target in LINK.findall(text) if "://" not in target]
    dead = [
        target
        for target in targets
        if target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert not dead


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_commands_in_the_docs_exist(page):
    missing = [module for module in MODULE.findall(page.read_text()) if not is_module(module.rstrip("."))]
    assert not missing


def test_the_changelog_tells_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert f"## [{version}]" in changelog or ("dev" in version and "## [Unreleased]" in changelog)


def is_module(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
