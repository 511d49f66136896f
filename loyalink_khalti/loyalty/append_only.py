"""Rows that are written once: entries of the ledger, versions of the rules, and refunds that were applied.

Triggers refuse every change of them, whatever sends it. They are created after ``migrate``, because SQLite drops them
with the old table when a migration rebuilds one. On PostgreSQL they run per row, so that TRUNCATE still empties the
tables of a test; on SQLite the command ``flush`` takes them away for a moment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, TypeVar

from django.apps import apps
from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from loyalink_khalti.errors import LedgerError

M = TypeVar("M", bound="AppendOnlyModel")
PREFIX = "loyalink_append_only"


class AppendOnly(models.QuerySet[M]):
    """Rows that are written once; what would change one raises ``LedgerError``."""

    def update(self, **kwargs: Any) -> int:
        if not set(kwargs) <= set(self.model.CHANGEABLE):
            refuse(self.model)
        return super().update(**kwargs)

    def delete(self) -> NoReturn:
        refuse(self.model)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(self.model)

    def update_or_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(self.model)


class AppendOnlyModel(models.Model):
    """A row that is written once: ``save`` of a stored one and ``delete`` raise ``LedgerError``."""

    CHANGEABLE: ClassVar[tuple[str, ...]] = ()
    """Fields that may change all the same."""
    objects = AppendOnly.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            refuse(type(self))
        # With a pk of its own Django would first try an UPDATE of an older row: Django 5.2, Model._save_table.
        super().save(*args, **kwargs | {"force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(type(self))


def refuse(model: type[models.Model]) -> NoReturn:
    """Raise ``LedgerError``: rows of this model never change."""
    raise LedgerError(f"{model._meta.verbose_name_plural} never change and are never deleted; write another one")


# The triggers


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One trigger; ``stored`` is what the database says of it while it is as it should be."""

    name: str
    table: str
    statement: str
    stored: str


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers that are missing, changed or disabled, for all tables that exist."""
    wrong = _wrong(connection)
    if not wrong:
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_FUNCTION)
        for trigger in wrong:
            cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}{_on(connection, trigger)}")
            cursor.execute(trigger.statement)


def unguarded_tables(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the tables that can be changed because a trigger is missing, changed or disabled."""
    return sorted({trigger.table for trigger in _wrong(connection)})


@contextmanager
def lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Take the triggers away for a while: for a migration that fills a new column, or a test."""
    with connection.cursor() as cursor:
        for trigger in _expected(connection):
            cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}{_on(connection, trigger)}")
    try:
        yield
    finally:
        install(connection)


def _on(connection: BaseDatabaseWrapper, trigger: Trigger) -> str:
    return f" ON {trigger.table}" if connection.vendor == "postgresql" else ""


def _wrong(connection: BaseDatabaseWrapper) -> list[Trigger]:
    stored = _stored(connection)
    return [trigger for trigger in _expected(connection) if stored.get(trigger.name) != trigger.stored]


def _stored(connection: BaseDatabaseWrapper) -> dict[str, str]:
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        sql = "SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


def _expected(connection: BaseDatabaseWrapper) -> list[Trigger]:
    """The triggers of all tables that exist; none on a database that is neither SQLite nor PostgreSQL."""
    make = {"sqlite": _for_sqlite, "postgresql": _for_postgresql}.get(connection.vendor)
    models_ = apps.get_app_config("loyalink_khalti").get_models()
    tables = connection.introspection.table_names()
    chosen = (one for one in models_ if issubclass(one, AppendOnlyModel) and one._meta.db_table in tables)
    return [trigger for model in chosen for trigger in make(model)] if make else []


def _for_postgresql(model: type[AppendOnlyModel]) -> Iterator[Trigger]:
    table, name = model._meta.db_table, f"{PREFIX}_{model._meta.model_name}"
    if name == f"{PREFIX}_entry":
        name = "loyalink_entries_append_only"  # as migration 0002 has named it
    run = f"BEFORE UPDATE OF {_fixed(model)} OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {PREFIX}()"
    yield Trigger(name=name, table=table, statement=f"CREATE TRIGGER {name} {run}", stored="O")


def _for_sqlite(model: type[AppendOnlyModel]) -> Iterator[Trigger]:
    table, name = model._meta.db_table, f"{PREFIX}_{model._meta.model_name}"
    # INSERT OR REPLACE deletes the older row without a DELETE trigger: https://sqlite.org/lang_conflict.html
    conditions = (" AND ".join(f"{column} = NEW.{column}" for column in columns) for columns in _unique(model))
    same = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {each})" for each in conditions)  # noqa: S608 - our names
    events = {
        "update": f"UPDATE OF {_fixed(model)} ON {table}",
        "delete": f"DELETE ON {table}",
        "replace": f"INSERT ON {table} WHEN {same}",
    }
    for verb, event in events.items():
        abort = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} never change; write another one'); END"
        statement = f"CREATE TRIGGER {name}_{verb} BEFORE {event} {abort}"
        yield Trigger(name=f"{name}_{verb}", table=table, statement=statement, stored=statement)


def _fixed(model: type[AppendOnlyModel]) -> str:
    """The columns that never change."""
    fields = model._meta.local_concrete_fields
    return ", ".join(f'"{field.column}"' for field in fields if field.name not in model.CHANGEABLE)


def _unique(model: type[models.Model]) -> Iterator[list[str]]:
    """The columns that identify a row: its primary key, and what is unique."""
    columns = {field.name: str(field.column) for field in model._meta.local_concrete_fields}
    yield from ([columns[field.name]] for field in model._meta.local_concrete_fields if field.unique)
    for constraint in model._meta.total_unique_constraints:
        yield [columns[name] for name in constraint.fields]


_FUNCTION = f"""CREATE OR REPLACE FUNCTION {PREFIX}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change; write another one', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$"""
