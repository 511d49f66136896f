"""``loyalty_export``: the points of every member, safe to open in a spreadsheet."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.staff.spreadsheet import safe_cell

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.django_db]


def give(member_id: str, points: int) -> None:
    ledger.adjust(site_key="default", member_id=member_id, points=points, key=member_id, reason="test")


def test_members_are_written_with_their_points(run: Run, user: Any) -> None:
    give(str(user.pk), 1200)
    give("999", 5)
    give("1000", 7)
    ledger.hold(site_key="default", member_id=str(user.pk), purchase="a:1", points=200)  # type: ignore[arg-type]
    ledger.set_blocked(site_key="default", member_id="999", blocked=True)
    ledger.erase(site_key="default", member_id="1000")

    assert list(csv.reader(StringIO(run("loyalty_export")))) == [
        ["member", "available", "pending", "held", "owed", "earned", "redeemed", "tier", "blocked"],
        ["sita@example.com", "1000", "0", "200", "0", "0", "0", "Silver", "no"],
        ["999", "5", "0", "0", "0", "0", "0", "Silver", "yes"],
    ]


def test_an_address_that_looks_like_a_formula_is_text(run: Run, django_user_model: Any) -> None:
    for address in ('=HYPERLINK("http://evil.example")@x.np', "+1@x.np", "-1@x.np", "@x.np"):
        user = django_user_model.objects.create_user(username=address[:20], email="placeholder@x.np")
        django_user_model.objects.filter(pk=user.pk).update(email=address)
        give(str(user.pk), 1)

    written = [row[0] for row in csv.reader(StringIO(run("loyalty_export")))][1:]

    assert [cell[:2] for cell in written] == ["'=", "'+", "'-", "'@"]


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "=1", "＝1"])
def test_formulas_are_escaped(text: str) -> None:
    """K01"""
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Sita\x0bRai", "SitaRai"),
        ("\x00Sita\x1f \ufffe\uffff", "Sita "),
        ("Sita \ud83d", "Sita "),
        ("\x0b=1+1", "'=1+1"),
        ("Sita\tRai\nof Asan 🙏", "Sita\tRai\nof Asan 🙏"),
    ],
)
def test_characters_that_no_workbook_allows_are_removed(typed: str, kept: str) -> None:
    assert safe_cell(typed) == kept


def test_a_file_opens_in_excel(run: Run, user: Any, tmp_path: Path) -> None:
    give(str(user.pk), 5)

    run("loyalty_export", "--out", tmp_path / "members.csv")

    content = (tmp_path / "members.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfmember,")
    assert content.count(b"\n") == 2
