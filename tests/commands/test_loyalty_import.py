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

from .conftest import Run, with_actor

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
        call_command("loyalty_import", *with_actor("loyalty_import", path, *options), stdout=StringIO(), stderr=err)
    assert (Account.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    return [*err.getvalue().splitlines(), str(caught.value)]


def test_members_named_by_address_or_pk_get_points(run: Run, file: Make, user: Any, ram: Any) -> None:
    path = file("member,points", "SITA@example.com,1200", f"{ram.pk},300")

    assert run("loyalty_import", path) == "2 of 2 rows (1500 points in the file) imported.\n"
    assert available() == {str(user.pk): 1200, str(ram.pk): 300}
    assert set(Entry.objects.values_list("kind", "reason_code")) == {("adjust", "import")}


def test_the_same_file_again_changes_nothing_and_lists_its_rows(run: Run, file: Make, user: Any) -> None:
    """M10"""
    path = file("member,points", "sita@example.com,100")
    run("loyalty_import", path)

    assert run("loyalty_import", path) == (
        "line 2: sita@example.com, 100 points: imported before, skipped; --again adds it once more\n"
        "0 of 1 row (100 points in the file) imported; 1 had been imported before.\n"
    )
    assert available() == {str(user.pk): 100}


SHEET = ("member,points,expires,note", "sita@example.com,1200,2027-03-31,Café", "ram@example.com,300,,")


@pytest.mark.parametrize(
    "content",
    [
        "\r\n".join(SHEET).encode("utf-8-sig"),
        "\n".join(SHEET).encode(),
        "\n".join([SHEET[0], SHEET[2], SHEET[1], ""]).encode(),
        "\n".join([*SHEET[:2], "gita@example.com,50,,", SHEET[2]]).encode(),
        "\n".join(SHEET).replace(",", ";").encode(),
        "\r".join(SHEET).encode(),
        "note,expires,points,member\nCafé,2027-03-31,1200,sita@example.com\n,,300,ram@example.com".encode(),
        (SHEET[0] + "\n SITA@example.com , 1200 ,2027-03-31 ,  Cafe\u0301  \nram@example.com,0300,,").encode(),
        "Member,Points,Expires,Note\nsita@example.com,१२००,२०२७-०३-३१,Ｃafé\nram@example.com,३००,,".encode(),
        b"member,points\nram@example.com,300",
    ],
    ids=[
        "byte order mark", "LF", "sorted", "one row more", "semicolons", "CR", "other columns", "spaces and accents",
        "other digits", "without the empty columns",
    ],
)  # fmt: skip
def test_a_row_is_known_by_its_contents_in_whatever_file_it_is(
    content: bytes, run: Run, tmp_path: Path, user: Any, ram: Any, django_user_model: Any
) -> None:
    """M10: the same balances, saved anew or sorted, added their points once more."""
    gita = django_user_model.objects.create_user(username="gita", email="gita@example.com")
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_bytes("\r\n".join(SHEET).encode())
    second.write_bytes(content)
    with time_machine.travel(nepal(2026, 3, 1), tick=False):
        run("loyalty_import", first)
        expected = run("loyalty_import", second, "--dry-run")
        printed = run("loyalty_import", second)

    assert {**available(), str(gita.pk): 0} == {str(user.pk): 1200, str(ram.pk): 300, str(gita.pk): 0}
    assert "ram@example.com, 300 points: imported before, skipped" in printed
    assert printed == expected.replace("would be imported", "imported")


def test_a_file_that_is_half_repeated_adds_its_new_rows_only(run: Run, file: Make, user: Any, ram: Any) -> None:
    """M10"""
    run("loyalty_import", file("member,points", "sita@example.com,100"))

    printed = run("loyalty_import", file("member,points", "ram@example.com,30", "sita@example.com,100"))

    assert printed.splitlines() == [
        "line 3: sita@example.com, 100 points: imported before, skipped; --again adds it once more",
        "1 of 2 rows (130 points in the file) imported; 1 had been imported before.",
    ]
    assert available() == {str(user.pk): 100, str(ram.pk): 30}


def test_another_row_for_a_member_of_the_same_batch_is_added_and_named(run: Run, file: Make, user: Any) -> None:
    """M10"""
    run("loyalty_import", file("member,points", "sita@example.com,100"))

    printed = run("loyalty_import", file("member,points", "sita@example.com,120"))

    assert printed.splitlines()[0] == (
        "line 2: sita@example.com, 120 points: "
        "added to the points that another row of this batch has given this member"
    )
    assert available() == {str(user.pk): 220}


def test_another_batch_may_contain_the_same_row(run: Run, file: Make, user: Any) -> None:
    """M10"""
    path = file("member,points", "sita@example.com,100")
    run("loyalty_import", path, "--batch", "March")
    run("loyalty_import", path, "--batch", "april")
    run("loyalty_import", path, "--batch", "march")

    assert available() == {str(user.pk): 200}


def test_again_adds_repeated_rows_once_more_and_once_only(run: Run, file: Make, user: Any, ram: Any) -> None:
    """M10: The same name again changes nothing, also for a row that was new when it was first given."""
    path = file("member,points", "sita@example.com,100")
    run("loyalty_import", path)
    path = file("member,points", "sita@example.com,100", "ram@example.com,30")
    for _time in range(2):
        run("loyalty_import", path, "--again", "second-card")

    assert available() == {str(user.pk): 200, str(ram.pk): 30}

    run("loyalty_import", path)

    assert available() == {str(user.pk): 200, str(ram.pk): 30}


def test_again_without_a_name_is_once_more_a_day(run: Run, file: Make, user: Any) -> None:
    """M10"""
    path = file("member,points", "sita@example.com,100")
    for day in (1, 1, 2):
        with time_machine.travel(nepal(2026, 3, day), tick=False):
            run("loyalty_import", path, "--again")

    assert available() == {str(user.pk): 200}


@pytest.mark.parametrize("options", [("--batch", "two words"), ("--again", "a:b"), ("--batch", "")])
def test_a_name_that_cannot_be_a_key_is_refused(options: tuple[str, str], file: Make, user: Any) -> None:
    (error,) = refused(file("member,points", "sita@example.com,1"), *options)

    assert error.startswith(options[0])


def test_a_row_of_a_member_who_was_merged_is_known(run: Run, file: Make, user: Any, ram: Any) -> None:
    """M10"""
    path = file("member,points", "sita@example.com,100")
    run("loyalty_import", path)
    ledger.merge(site_key="default", member_id=str(user.pk), into=str(ram.pk))

    run("loyalty_import", path)

    assert available() == {str(user.pk): 0, str(ram.pk): 100}


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
        "There is no site 'elsewhere'. There are: localhost:80 (key default)."
    ]


def test_large_numbers_are_accepted_with_most(run: Run, file: Make, user: Any) -> None:
    run("loyalty_import", file("member,points", "sita@example.com,2000000"), "--most", "2000000")

    assert available() == {str(user.pk): 2_000_000}


def test_what_is_owed_is_repaid_first(run: Run, file: Make, user: Any) -> None:
    member_id = str(user.pk)
    ledger.late_capture(site_key="default", member_id=member_id, purchase="a:1", points=30, value=300)  # type: ignore[arg-type]

    run("loyalty_import", file("member,points", "sita@example.com,100"))

    assert available() == {member_id: 70}


def test_nobody_imports_points_for_their_own_account(run: Run, file: Make, user: Any, ram: Any) -> None:
    """M5: one row of the file is enough."""
    path = file("member,points", f"{ram.pk},300", "sita@example.com,1200")

    with pytest.raises(CommandError, match=r"your own account.* Nothing was imported"):
        run("loyalty_import", path, "--actor", "sita@example.com")

    assert (Account.objects.count(), IdempotencyKey.objects.count()) == (0, 0)


def test_an_import_needs_an_actor(file: Make, user: Any) -> None:
    """M5"""
    with pytest.raises(CommandError, match="required: --actor"):
        call_command("loyalty_import", str(file("member,points", "sita@example.com,1200")))
