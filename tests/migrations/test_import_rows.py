"""M10: rows that an earlier version knew by their file are known by their contents after the migration."""

from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from loyalink_khalti.loyalty.models import Account
from tests.loyalty.conftest import nepal
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def maya(transactional_db: None, django_user_model: Any) -> Any:
    """Who imports."""
    return django_user_model.objects.create_user(username="maya", email="maya@example.com", is_staff=True)


DIGEST = sha256(b"the file").hexdigest()


def imported(models: Any, number: int, member: str, points: int, *, expires: Any = None, note: str = "") -> Any:
    """Record an imported row as the version before the migration recorded it."""
    get = lambda name: models.get_model("loyalink_khalti", name).objects  # noqa: E731
    program, _new = get("Program").get_or_create(site_key="default")
    account, _new = get("Account").get_or_create(program=program, member_id=member)
    figures = f"{member}:{points}" + (f":{expires.astimezone(UTC).isoformat()}" if expires else "")
    key = f"import:{DIGEST}:{number}"
    get("IdempotencyKey").create(
        scope=f"{program.pk}:adjust", key=key, request_hash=sha256(figures.encode()).hexdigest()
    )
    lot = get("Lot").create(
        account=account, source=f"adjust:{program.pk}:{key}", original=points, pending=0, remaining=points,
        available_at=nepal(2026, 3, 1), expires_at=expires or nepal(2027, 3, 2),
    )  # fmt: skip
    account.available, account.seq = account.available + points, account.seq + 1
    account.save()
    entry = get("Entry").create(
        account=account, seq=account.seq, kind="adjust", src="adjusted", dst="available", amount=points, lot=lot,
        key=f"adjust:{program.pk}:{key}", reason_code="import",
    )  # fmt: skip
    if note:
        get("EntryNote").create(entry=entry, text=note)
    return account


def test_rows_that_were_imported_by_their_file_are_known_by_their_contents(
    django_user_model: Any, tmp_path: Path, capsys: Any
) -> None:
    """M10"""
    sita, ram, gita = (
        django_user_model.objects.create_user(username=name, email=f"{name}@example.com")
        for name in ("sita", "ram", "gita")
    )
    models = migrate_to_before("import_rows_by_contents")
    imported(models, 1, str(sita.pk), 1200, expires=nepal(2027, 4, 1), note="पुरानो खाता")
    imported(models, 2, str(ram.pk), 300)
    ended = imported(models, 3, str(gita.pk), 50)
    ended.successor = models.get_model("loyalink_khalti", "Account").objects.get(member_id=str(ram.pk))
    ended.save()

    migrate()
    path = tmp_path / "again.csv"
    path.write_text(
        "member,points,expires,note\ngita@example.com,50,,\nram@example.com,300,,\n"
        "sita@example.com,1200,2027-03-31,पुरानो खाता",
        encoding="utf-8",
    )
    with time_machine.travel(nepal(2026, 3, 1), tick=False):
        call_command("loyalty_import", str(path), "--actor", "maya@example.com")

    assert "0 of 3 rows (1550 points in the file) imported; 3 had been imported before." in capsys.readouterr().out
    assert {account.member_id: account.available for account in Account.objects.exclude(member_id=str(gita.pk))} == {
        str(sita.pk): 1200,
        str(ram.pk): 300,
    }


def test_a_row_with_other_figures_is_not_mistaken_for_one_of_an_earlier_file(
    django_user_model: Any, tmp_path: Path
) -> None:
    """M10"""
    sita = django_user_model.objects.create_user(username="sita", email="sita@example.com")
    imported(migrate_to_before("import_rows_by_contents"), 1, str(sita.pk), 1200, expires=nepal(2027, 4, 1))

    migrate()
    path = tmp_path / "more.csv"
    path.write_text("member,points\nsita@example.com,1200\n")
    call_command("loyalty_import", str(path), "--actor", "maya@example.com")

    assert Account.objects.get().available == 2400
