"""Rows that are written once: the database refuses every change, and the audit finds one made all the same."""

from collections.abc import Callable, Iterator
from datetime import date
from importlib import import_module
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.models import QuerySet

from loyalink_khalti import append_only, flow
from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.errors import LedgerError, LoyalinkError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote
from loyalink_khalti.loyalty.orders import RefundApplied
from loyalink_khalti.loyalty.program import Program, ProgramVersion
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.received import ReceivedMoney
from tests.databases import Database

from .conftest import MEMBER, SITE, adjust, award, nepal, refund, set_rules, sweep

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

CHANGED: dict[type[AppendOnlyModel], tuple[str, Any]] = {
    Entry: ("amount", 999),
    ProgramVersion: ("stored", {"points": 1000}),
    RefundApplied: ("amount", 1),
    ReceivedMoney: ("amount", 1),
}


@pytest.fixture
def rows(account: Account) -> list[models.Model]:
    """One row of every model that is written once: an entry, rules, an applied refund, received money."""
    set_rules(redeem_points=Points(1))
    award(100_000)
    refund(10_000, 100_000)
    adjust(50, member_id="8")
    purchase = Purchase.objects.create(
        shop="oscar", ref="5", number="5", origin="5", site_key=SITE, language="en", method="bank_transfer",
        cart={}, total=100_000, amount_due=100_000,
    )  # fmt: skip
    ReceivedMoney.objects.create(purchase=purchase, amount=70_000, received_on=date(2026, 2, 20), key="form")
    return [model.objects.order_by("pk")[0] for model in CHANGED]


@pytest.fixture(autouse=True)
def _guarded(transactional_db: None) -> Iterator[None]:
    """The triggers are those of every test again at the end: on PostgreSQL the next test uses the same tables."""
    yield
    append_only.install(connection)


def refusal(model: type[AppendOnlyModel]) -> type[LoyalinkError]:
    """What Python raises: nothing of received money is an error of the ledger."""
    return LoyalinkError if model is ReceivedMoney else LedgerError


def copy_of(row: models.Model, **changed: Any) -> models.Model:
    """An object like a stored one, as if it were new."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**{**values, **changed})


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def all_rows() -> list[dict[str, Any]]:
    return [dict(row) for model in CHANGED for row in model.objects.order_by("pk").values()]


def attempts(row: Any) -> dict[str, Callable[[], object]]:
    """Every way to change a stored row."""
    model, table = type(row), row._meta.db_table
    name, value = CHANGED[model]
    upsert = {"update_conflicts": True, "update_fields": [name], "unique_fields": ["id"]}
    past_the_manager: QuerySet[Any] = QuerySet(model)
    columns = ", ".join(f'"{field.column}"' for field in row._meta.concrete_fields)
    found = {
        "save of an old pk": lambda: copy_of(row, **{name: value}).save(),
        "save of a stored row": row.save,
        "save_base": lambda: copy_of(row, **{name: value}).save_base(),
        "delete": row.delete,
        "update": lambda: model.objects.filter(pk=row.pk).update(**{name: value}),
        "update_or_create": lambda: model.objects.update_or_create(pk=row.pk, defaults={name: value}),
        "upsert": lambda: model.objects.bulk_create([copy_of(row, **{name: value})], **upsert),
        "update past the manager": lambda: past_the_manager.filter(pk=row.pk).update(**{name: value}),
        "delete past the manager": lambda: past_the_manager.filter(pk=row.pk)._raw_delete(using="default"),
        "UPDATE": lambda: sql(f'UPDATE {table} SET "{name}" = "{name}" WHERE id = %s', row.pk),
        "DELETE": lambda: sql(f"DELETE FROM {table} WHERE id = %s", row.pk),
        "ON CONFLICT": lambda: sql(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE id = %s"
            f' ON CONFLICT (id) DO UPDATE SET "{name}" = excluded."{name}"',
            row.pk,
        ),
    }
    if connection.vendor == "sqlite":
        copied = columns.replace('"id"', "id + 1000")  # the same unique keys with another pk
        found["INSERT OR REPLACE of a pk"] = lambda: sql(
            f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE id = %s", row.pk
        )
        found["INSERT OR REPLACE of a key"] = lambda: sql(
            f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {copied} FROM {table} WHERE id = %s", row.pk
        )
        found["UPDATE OR IGNORE"] = lambda: sql(
            f'UPDATE OR IGNORE {table} SET "{name}" = "{name}" WHERE id = %s', row.pk
        )
    return found


def test_no_way_to_change_a_row_that_is_written_once_changes_it(rows: list[Any]) -> None:
    """M24"""
    before = all_rows()

    for row in rows:
        for name, attempt in attempts(row).items():
            with pytest.raises((refusal(type(row)), IntegrityError)), transaction.atomic():
                attempt()
            assert all_rows() == before, (name, row)
    assert not found()


def test_a_note_is_no_entry_and_can_be_erased(account: Account) -> None:
    ledger.adjust(site_key=SITE, member_id=MEMBER, points=5, key="1", reason="goodwill", note="Sita called")

    EntryNote.objects.all().delete()

    assert not found()


def found() -> set[tuple[str, str]]:
    """What the audit finds in the ledger, and tables without triggers."""
    return {(each.subject, each.invariant) for each in flow.audit_violations() if each.invariant.startswith("L")}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 101),
        ("kind", "merge_in"),
        ("at", nepal(2020, 1, 1)),
        ("purchase", "shop:2"),
        ("key", "award:shop:2"),
        ("refund_ref", "r9"),
        ("actor", "1"),
        ("reason_code", "goodwill"),
        ("lot", None),
        ("version", None),
    ],
)
def test_a_changed_field_of_an_entry_is_found(field: str, value: object, rows: list[Any]) -> None:
    """M24, M24a: also where the triggers were dropped."""
    earned = Entry.objects.get(kind="earn")
    swapped = {"kind": "merge_in", "src": "adjusted", "dst": "available"} if field == "kind" else {field: value}

    with append_only.lifted(connection):
        QuerySet(Entry).filter(pk=earned.pk).update(**swapped)

    assert (f"account {earned.account_id}", "L14") in found()


def test_an_entry_moved_to_another_member_is_found(rows: list[Any]) -> None:
    """M24, M24a"""
    other = Account.objects.get(member_id="8")
    entry = Entry.objects.order_by("seq").last()
    assert entry is not None

    with append_only.lifted(connection):
        QuerySet(Entry).filter(pk=entry.pk).update(account=other, seq=other.seq + 1)

    assert {(f"account {pk}", "L14") for pk in (entry.account_id, other.pk)} & found()


def test_an_account_given_to_another_member_is_found(rows: list[Any]) -> None:
    """M24, M24a: the seal names the member."""
    Account.objects.filter(member_id=MEMBER).update(member_id="somebody else")

    assert found() == {(f"account {Account.objects.get(member_id='somebody else').pk}", "L14")}


@pytest.mark.parametrize(
    ("field", "value"),
    [("stored", {"points": 1000}), ("created_at", nepal(2020, 1, 1)), ("actor", "1"), ("number", 7)],
)
def test_a_changed_version_of_the_rules_is_found(field: str, value: object, rows: list[Any]) -> None:
    """M24, M24a"""
    with append_only.lifted(connection):
        QuerySet(ProgramVersion).filter(number=1).update(**{field: value})

    assert ("programme default", "L14") in found()


@pytest.mark.parametrize("model", CHANGED)
def test_a_missing_trigger_is_found_and_created_by_migrate(model: type[AppendOnlyModel], rows: list[Any]) -> None:
    """M24, M24a, M24c"""
    name = f"loyalink_append_only_{model._meta.model_name}"
    if connection.vendor == "postgresql":
        name = "loyalink_entries_append_only" if model is Entry else name
        sql(f"DROP TRIGGER {name} ON {model._meta.db_table}")
    else:
        sql(f"DROP TRIGGER {name}_delete")
    missing = found()

    call_command("migrate", verbosity=0)

    assert (missing, found()) == ({(f"table {model._meta.db_table}", "L14")}, set())


def triggers_on(model: type[models.Model]) -> list[str]:
    """The names of all triggers on a table, from whatever package."""
    sql_ = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
    if connection.vendor == "postgresql":
        sql_ = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = %s::regclass"
    with connection.cursor() as cursor:
        cursor.execute(sql_, [model._meta.db_table])
        return sorted(name for (name,) in cursor.fetchall())


def test_the_triggers_of_an_earlier_migration_are_replaced_and_not_doubled(rows: list[Any]) -> None:
    """M24, M24b, M24c: those of migration 0008 know only the columns of received money at that time."""
    now = triggers_on(ReceivedMoney)
    migration = import_module("loyalink_khalti.migrations.0008_received_money_append_only")
    with connection.schema_editor() as editor:
        migration.allow(None, editor)
        migration.refuse(None, editor)
    doubled = triggers_on(ReceivedMoney)

    call_command("migrate", verbosity=0)

    assert (len(doubled) > len(now), triggers_on(ReceivedMoney), found()) == (True, now, set())


def test_a_column_that_a_migration_adds_is_guarded_too(rows: list[Any]) -> None:
    """M24, M24b, M24c: received money was changed in its new column on PostgreSQL."""
    field = models.IntegerField(null=True)
    field.set_attributes_from_name("added")
    with connection.schema_editor() as editor:
        editor.add_field(ReceivedMoney, field)
    unguarded, table = found(), ReceivedMoney._meta.db_table
    try:
        call_command("migrate", verbosity=0)

        assert (unguarded, found()) == ({(f"table {table}", "L14")}, set())
        with pytest.raises(IntegrityError):
            sql(f"UPDATE {table} SET added = 1")
    finally:
        with append_only.lifted(connection), connection.schema_editor() as editor:
            editor.remove_field(ReceivedMoney, field)


def test_only_the_texts_of_received_money_can_be_emptied(rows: list[Any]) -> None:
    """M24c"""
    past_the_manager: QuerySet[Any] = QuerySet(ReceivedMoney)
    past_the_manager.update(reference="from Sita", reason="Sita called")

    assert ReceivedMoney.objects.all().erase_texts() == 1

    with pytest.raises(LoyalinkError):
        ReceivedMoney.objects.update(reference="from Ram")
    assert ReceivedMoney.objects.values_list("reference", "reason", "amount").get() == ("", "", 70_000)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no disabled triggers")
def test_a_disabled_trigger_is_found(rows: list[Any]) -> None:
    sql(f"ALTER TABLE {Entry._meta.db_table} DISABLE TRIGGER USER")

    assert found() == {(f"table {Entry._meta.db_table}", "L14")}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite rebuilds a table to change a column")
@pytest.mark.parametrize(("model", "name"), [(Entry, "reason_code"), (ReceivedMoney, "reference")])
def test_the_triggers_survive_a_migration_that_rebuilds_their_table(
    model: type[AppendOnlyModel], name: str, rows: list[Any]
) -> None:
    """M24b, M24c: those of received money were lost."""
    old: Any = model._meta.get_field(name)
    new = models.CharField(max_length=old.max_length + 1, blank=True, default="")
    new.set_attributes_from_name(name)
    with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
        editor.alter_field(model, old, new)
    lost = found()

    call_command("migrate", verbosity=0)

    assert (lost, found()) == ({(f"table {model._meta.db_table}", "L14")}, set())


def test_flush_empties_the_tables_for_a_test_of_a_shop(rows: list[Any], database_copy: Database) -> None:
    """M24b: Django calls it after every test with ``transaction=True``."""
    database_copy.distrust_statistics()
    call_command("flush", interactive=False, verbosity=0)

    assert all_rows() == []
    adjust(5)
    with pytest.raises(IntegrityError):
        sql(f"DELETE FROM {Entry._meta.db_table}")


def test_entries_of_the_version_before_are_sealed_by_the_sweep_or_the_next_entry(rows: list[Any]) -> None:
    """While two versions run side by side the older one writes entries without a seal."""
    Account.objects.update(seal="", sealed_seq=0)
    Program.objects.update(seal="", sealed_number=0)
    assert not found()

    adjust(1, "next", member_id="8")
    sweep()

    assert not Account.objects.filter(seal="").exists()
    assert not Program.objects.filter(seal="").exists()
    assert not found()
