"""``loyalty_import``: all rows of a file or none, each once, every error with its line."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote, IdempotencyKey, Lot
from tests.loyalty.conftest import nepal

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

Make = Callable[..., Path]


@pytest.fixture
def ram(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user(username="ram", email="Ram@Example.com")


@pytest.fixture
def file(tmp_path: Path) -> Make:
    """A file with these lines."""

    def make(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "points.csv"
        path.write_text("\r\n".join(lines), encoding=encoding, newline="")
        return path

    return make


def available() -> dict[str, int]:
    return {str(account.member_id): account.available for account in Account.objects.all()}


def refused(path: Path, *options: str) -> list[str]:
    """Every line that is printed about a file that is not imported."""
    err = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("loyalty_import", str(path), *options, stdout=StringIO(), stderr=err)
    assert (Account.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    return [*err.getvalue().splitlines(), str(caught.value)]


def test_members_named_by_address_or_pk_get_points(run: Run, file: Make, user: Any, ram: Any) -> None:
    path = file("member,points", "SITA@example.com,1200", f"{ram.pk},300")

    assert run("loyalty_import", path) == "2 of 2 rows (1500 points in the file) imported.\n"
    assert available() == {str(user.pk): 1200, str(ram.pk): 300}
    assert set(Entry.objects.values_list("kind", "reason_code")) == {("adjust", "import")}


def test_the_same_file_again_changes_nothing_and_another_file_adds(run: Run, file: Make, user: Any) -> None:
    path = file("member,points", "sita@example.com,100")
    run("loyalty_import", path)

    assert run("loyalty_import", path) == (
        "0 of 1 row (100 points in the file) imported; 1 had been imported before.\n"
    )
    run("loyalty_import", file("member,points", "sita@example.com,100", ""))

    assert available() == {str(user.pk): 200}


def test_a_dry_run_reports_and_changes_nothing(run: Run, file: Make, user: Any) -> None:
    path = file("member,points", "sita@example.com,100")

    assert run("loyalty_import", path, "--dry-run") == "1 of 1 row (100 points in the file) would be imported.\n"
    assert (available(), IdempotencyKey.objects.count(), Entry.objects.count()) == ({}, 0, 0)


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig")], ids=["comma", "excel"])
def test_files_saved_by_spreadsheets_are_read(delimiter: str, encoding: str, run: Run, file: Make, user: Any) -> None:
    lines = ["Member,Points,Expires,Note", "sita@example.com,100,2027-03-31,पुरानो खाता"]
    path = file(*(line.replace(",", delimiter) for line in lines), encoding=encoding)

    with time_machine.travel(nepal(2026, 3, 1), tick=False):
        run("loyalty_import", path)

    assert (Lot.objects.get().expires_at, EntryNote.objects.get().text) == (nepal(2027, 4, 1), "पुरानो खाता")


def test_points_without_a_last_day_expire_by_the_rules(run: Run, file: Make, user: Any) -> None:
    with time_machine.travel(nepal(2026, 3, 1), tick=False):
        run("loyalty_import", file("member,points,expires", "sita@example.com,100,"))

    assert Lot.objects.get().expires_at == nepal(2027, 3, 2)


def test_every_error_is_reported_and_nothing_is_imported(file: Make, user: Any, django_user_model: Any) -> None:
    for name in ("one", "two"):
        django_user_model.objects.create_user(username=name, email="twins@example.com")
    path = file(
        "member,points,expires",
        "sita@example.com,100,",
        "nobody@example.com,5,",
        "999999,5,",
        ",5,",
        f"{user.pk},7,",
        "twins@example.com,5,",
        "",
        "gone@example.com,1.5,2020-01-01",
        "sita@example.com,-3,tomorrow",
        "sita@example.com,0,,more",
        "sita@example.com,١٠,",
        "sita@example.com,1000001,",
        "sita@example.com,99999999999999999999999,",
    )

    *errors, end = refused(path)

    assert [error.split(":")[0] for error in errors] == [
        "line 3", "line 4", "line 5", "line 6", "line 7",
        "line 9", "line 9", "line 9", "line 10", "line 10", "line 10", "line 11", "line 11", "line 11",
        "line 12", "line 12", "line 13", "line 13", "line 14", "line 14",
    ]  # fmt: skip
    assert errors[0] == "line 3: there is no member nobody@example.com"
    assert errors[3] == f"line 6: {user.pk} is in line 2 already"
    assert "users have the address twins@example.com" in errors[4]
    assert errors[6] == "line 9: '1.5' is not a whole number of points above 0"
    assert errors[7] == "line 9: 2020-01-01 is in the past"
    assert end == "20 errors. Nothing was imported."


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "line 1: expected the columns member, points"),
        (["member,amount", "sita@example.com,1"], "line 1: expected the columns member, points"),
        (["member,points,colour", "sita@example.com,1,red"], "line 1: unknown columns: colour"),
        (["member,points,points", "sita@example.com,1,2"], "line 1: expected the columns"),
        (["member,points"], "The file has no rows."),
        (["member,points", '"sita@example.com,1'], "line 2: "),
    ],
)
def test_a_file_with_other_columns_is_refused(lines: list[str], message: str, file: Make, user: Any) -> None:
    (error,) = refused(file(*lines))

    assert error.startswith(message)


def test_a_file_in_another_encoding_is_refused_with_its_line(file: Make, user: Any) -> None:
    (error,) = refused(file("member,points,note", "sita@example.com,1,café", encoding="latin-1"))

    assert error == "line 2: this is not UTF-8; save the file as CSV UTF-8. Nothing was imported."


def test_a_missing_file_or_site_is_an_error(file: Make, user: Any, tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "none.csv")[0]
    assert refused(file("member,points", "sita@example.com,1"), "--site", "elsewhere") == [
        "There is no site 'elsewhere'. There are: default."
    ]


def test_large_numbers_are_accepted_with_most(run: Run, file: Make, user: Any) -> None:
    run("loyalty_import", file("member,points", "sita@example.com,2000000"), "--most", "2000000")

    assert available() == {str(user.pk): 2_000_000}


def test_what_is_owed_is_repaid_first(run: Run, file: Make, user: Any) -> None:
    member_id = str(user.pk)
    ledger.late_capture(site_key="default", member_id=member_id, purchase="a:1", points=30, value=300)  # type: ignore[arg-type]

    run("loyalty_import", file("member,points", "sita@example.com,100"))

    assert available() == {member_id: 70}
