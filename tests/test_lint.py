"""The source: style, types, the direction of imports, words, templates, docs."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MIN_LINES, MAX_LINES = 40, 350
APART = {
    "loyalink_khalti.flow.members.signup_bonus",  # a verb of the flow
    "loyalink_khalti.hosts.oscar.wagtail_hooks",  # Wagtail finds it by its name
    "loyalink_khalti.signals",  # for shops to import
}
"""Small modules that do not belong to their only importer."""
FORBIDDEN = re.compile(
    r"\b(told|heard|whoever|nobody|goods|shoppers?|(?:give[sn]?|gave|giving) back|afterwards|let go)\b", re.IGNORECASE
)
"""Words for which docs/glossary.md has others."""
ALLOWED: dict[str, set[str]] = {}
"""Files in which an English sentence needs one of these words."""
TEXT_VALUES = {
    "option.method", "method.code", "search_query", "query|default:''", "request.get_full_path", "next",
    "row.kind", "offer.email", "shown_email|default:offer.email",
    "member_card.terms.version", "terms.version", "request.path", "back", "token", "code",
    "print_key", "current_query", "form_key", "key", "undo_day|date:'Y-m-d'", "each.day|date:'Y-m-d'",
}  # fmt: skip
"""Values of form fields that are texts, never numbers."""
WORD_START = re.compile(r"_|(?<=[a-z])(?=[A-Z])")
MODULE = re.compile(r"python3? -m ([A-Za-z_][\w.]*)")


def project_files(pattern):
    """Return the files that are, or are about to be, under version control; none in an archive without git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def name(path):
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else None


TEMPLATES = project_files("*.html")
DOCS = project_files("*.md")

pytestmark = [pytest.mark.lint, pytest.mark.timeout(600)]


def run(*command):
    done = start(*command)
    assert done.returncode == 0, f"{' '.join(command[:3])}\n{done.stdout}{done.stderr}"


def start(*command):
    return subprocess.run([str(TOOLS / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)


def test_ruff_finds_nothing():
    run("ruff", "check", ".")


def test_the_code_is_formatted():
    run("ruff", "format", "--check", ".")


def test_the_types_are_strict_and_right():
    if start("mypy", "loyalink_khalti", "sandbox").returncode != 0:
        # With a cache of older code mypy 2.4 can crash, or take one manager for another: a new one decides.
        shutil.rmtree(ROOT / ".mypy_cache", ignore_errors=True)
        run("mypy", "loyalink_khalti", "sandbox")


def test_imports_go_down_only():
    run("lint-imports", "--no-logo")


def test_djlint_finds_nothing():
    # Only its rules: its formatter breaks lines inside titles and links, where a space is visible.
    run("djlint", "--lint", "--quiet", *map(str, TEMPLATES))


@pytest.mark.parametrize("page", [*TEMPLATES, *DOCS], ids=name)
def test_no_line_has_tabs_or_trailing_spaces(page):
    text = page.read_text()
    assert [number for number, line in enumerate(text.splitlines(), 1) if line != line.rstrip() or "\t" in line] == []
    assert text == "" or text.endswith("\n")


@pytest.mark.parametrize("page", TEMPLATES, ids=name)
def test_no_value_of_a_form_field_is_localised(page):
    """M14: with ``USE_THOUSAND_SEPARATOR`` Django writes 13500 as "13,500", in a hidden field too."""
    values = re.findall(r'<input[^<]*value="{{ ([^}]*) }}"', re.sub(r"{%.*?%}", "", page.read_text()))
    assert [value for value in values if value not in TEXT_VALUES and not value.endswith("|unlocalize")] == []


def test_no_module_is_too_long():
    long = {
        name(path): lines
        for path in project_files("loyalink_khalti/*.py") + project_files("sandbox/*.py")
        if "migrations" not in path.parts and (lines := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


def test_a_small_module_has_more_than_one_importer():
    graph = grimp.build_graph("loyalink_khalti")
    small = {
        module: lines
        for module in sorted(graph.modules - APART)
        if (path := ROOT / (module.replace(".", "/") + ".py")).is_file()
        and (lines := len(path.read_text().splitlines())) < MIN_LINES
        and len(graph.find_modules_that_directly_import(module)) == 1
    }
    assert not small


def test_the_words_are_those_of_the_glossary():
    found = {
        f"{name(path)}:{number}": word[0]
        for pattern in ("*.py", "*.html", "*.txt", "*.css", "*.js")
        for folder in ("loyalink_khalti", "sandbox")
        for path in project_files(f"{folder}/{pattern}")
        if "migrations" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (word := FORBIDDEN.search(WORD_START.sub(" ", line))) and word[0].lower() not in ALLOWED.get(name(path), ())
    }
    assert not found


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
def test_links_in_the_docs_have_targets(page):
    links = [link for link in LINK.findall(FENCE.sub("", page.read_text())) if "://" not in link]
    assert [link for link in links if not link.startswith("mailto:") and is_dead(link, page)] == []


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_commands_in_the_docs_exist(page):
    missing = [module for module in MODULE.findall(page.read_text()) if not is_module(module.rstrip("."))]
    assert not missing


def test_the_changelog_has_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert f"## [{version}]" in changelog or ("dev" in version and "## [Unreleased]" in changelog)


def is_dead(link, page):
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))


def anchors(page):
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_module(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
