"""docs/hosts/README.md: what it says of a host is held by the test that it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hosts" / "README.md"
HELD = re.compile(r'\[✓\]\(([^ )]+) "(\w+)"\)')
CELLS = 5  # what it is about, and four hosts


def test_each_row_of_the_table_of_hosts_is_held_by_tests() -> None:
    """H10e"""
    table = PAGE.read_text().partition("## What each host supports")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ") and "[✓]" in line]

    assert len(rows) > 10
    assert [row[0] for row in rows if len(row) != CELLS] == []
    wrong = [
        f"{row[0]}: {name} in {path}"
        for row in rows
        for cell in row[1:]
        for path, name in HELD.findall(cell)
        if not is_tested((PAGE.parent / path).resolve(), name)
    ]
    assert wrong == []
    unproved = [row[0] for row in rows for cell in row[1:] if "✓" in HELD.sub("", cell)]
    assert unproved == []


def is_tested(file: Path, name: str) -> bool:
    """Return whether a file has a test, a class of tests or a fixture of them with this name."""
    return file.is_file() and bool(re.search(rf"^ *(?:def|class) {name}\b", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["test_nothing_like_this", "PAGE"])
def test_a_name_that_no_test_has_is_noticed(name: str) -> None:
    assert not is_tested(Path(__file__), name)
