"""Rows that are written once, of the ledger and of the money: a model of them is an ``AppendOnlyModel``.

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

from .errors import LoyalinkError

M = TypeVar("M", bound="AppendOnlyModel")
PREFIX = "loyalink_append_only"


class AppendOnly(models.QuerySet[M]):
    """Rows that are written once; what would change one raises the model's ``REFUSAL``."""

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
    """A row that is written once: ``save`` of a stored one and ``delete`` raise ``REFUSAL``."""

    CHANGEABLE: ClassVar[tuple[str, ...]] = ()
    """Fields that may change all the same."""
    REFUSAL: ClassVar[type[LoyalinkError]] = LoyalinkError
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


def refuse(model: type[AppendOnlyModel]) -> NoReturn:
    """Raise the ``REFUSAL`` of a model: its rows never change."""
    raise model.REFUSAL(f"rows of {model._meta.db_table} never change and are never deleted; write another one")


# The triggers


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One trigger; ``stored`` is what the database says of it while it is as it should be."""

    name: str
    table: str
    statement: str
    stored: str


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers that are missing, changed or disabled, for all tables that exist.

    Those that a migration has created under another name are dropped: they know only the columns of their time.
    """
    expected, stored = _expected(connection), _stored(connection)
    wrong = _wrong(expected, stored)
    replaced = stored.keys() - {trigger.name for trigger in expected} | {trigger.name for trigger in wrong}
    if not replaced:
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for name in sorted(replaced & stored.keys()):
            cursor.execute(_drop(connection, name, stored[name][0]))
        if connection.vendor == "postgresql":
            cursor.execute(_FUNCTION)
        for trigger in wrong:
            cursor.execute(trigger.statement)


def unguarded_tables(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the tables that can be changed because a trigger is missing, changed or disabled."""
    return sorted({trigger.table for trigger in _wrong(_expected(connection), _stored(connection))})


@contextmanager
def lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Take the triggers away for a while: for a migration that fills a new column, or a test."""
    with connection.cursor() as cursor:
        for name, (table, _as) in sorted(_stored(connection).items()):
            cursor.execute(_drop(connection, name, table))
    try:
        yield
    finally:
        install(connection)


def _drop(connection: BaseDatabaseWrapper, name: str, table: str) -> str:
    return f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if connection.vendor == "postgresql" else "")


def _wrong(expected: list[Trigger], stored: dict[str, tuple[str, str]]) -> list[Trigger]:
    return [each for each in expected if stored.get(each.name) != (each.table, each.stored)]


def _stored(connection: BaseDatabaseWrapper) -> dict[str, tuple[str, str]]:
    """The triggers on rows that are written once: the table of each, and what it is like, by its name."""
    tables = {model._meta.db_table for model in _models()}
    rows = _rows(connection, _TRIGGERS)
    return {name: (table, stored) for name, table, stored in rows if table in tables and name.startswith("loyalink_")}


def _expected(connection: BaseDatabaseWrapper) -> list[Trigger]:
    """The triggers of all tables that exist; none on a database that is neither SQLite nor PostgreSQL."""
    make = {"sqlite": _for_sqlite, "postgresql": _for_postgresql}.get(connection.vendor)
    if make is None:
        return []
    columns: dict[str, set[str]] = {}
    for table, column in _rows(connection, _COLUMNS):
        columns.setdefault(table, set()).add(column)
    found = ((model, columns.get(model._meta.db_table)) for model in _models())
    return [trigger for model, existing in found if existing for trigger in make(model, existing)]


def _models() -> list[type[AppendOnlyModel]]:
    models_ = apps.get_app_config("loyalink_khalti").get_models()
    return [model for model in models_ if issubclass(model, AppendOnlyModel)]


def _rows(connection: BaseDatabaseWrapper, statements: dict[str, str]) -> list[Any]:
    """Run the statement for this kind of database; no rows where there is none."""
    if connection.vendor not in statements:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor])
        return list(cursor.fetchall())


def _for_postgresql(model: type[AppendOnlyModel], existing: set[str]) -> Iterator[Trigger]:
    table, name = model._meta.db_table, f"{PREFIX}_{model._meta.model_name}"
    if name == f"{PREFIX}_entry":
        name = "loyalink_entries_append_only"  # as migration 0002 has named it, which can be reversed
    columns = _fixed(model, existing)
    run = f"BEFORE UPDATE{_of(columns)} OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {PREFIX}()"
    yield Trigger(name=name, table=table, statement=f"CREATE TRIGGER {name} {run}", stored="O" + ",".join(columns))


def _for_sqlite(model: type[AppendOnlyModel], existing: set[str]) -> Iterator[Trigger]:
    table, name = model._meta.db_table, f"{PREFIX}_{model._meta.model_name}"
    # INSERT OR REPLACE deletes the older row without a DELETE trigger: https://sqlite.org/lang_conflict.html
    keys = (columns for columns in _unique(model) if existing.issuperset(columns))
    conditions = (" AND ".join(f"{column} = NEW.{column}" for column in columns) for columns in keys)
    same = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {each})" for each in conditions)  # noqa: S608 - our names
    events = {
        "update": f"UPDATE{_of(_fixed(model, existing))} ON {table}",
        "delete": f"DELETE ON {table}",
        "replace": f"INSERT ON {table} WHEN {same}",
    }
    for verb, event in events.items():
        abort = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} never change; write another one'); END"
        statement = f"CREATE TRIGGER {name}_{verb} BEFORE {event} {abort}"
        yield Trigger(name=f"{name}_{verb}", table=table, statement=statement, stored=statement)


def _fixed(model: type[AppendOnlyModel], existing: set[str]) -> list[str]:
    """The columns that never change; none if all of them never do.

    Those that exist: after a migration backwards the table lacks what later ones add.
    """
    if not model.CHANGEABLE:
        return []
    fields = model._meta.local_concrete_fields
    return sorted(existing - {field.column for field in fields if field.name in model.CHANGEABLE})


def _of(columns: list[str]) -> str:
    return " OF " + ", ".join(f'"{column}"' for column in columns) if columns else ""


def _unique(model: type[models.Model]) -> Iterator[list[str]]:
    """The columns that identify a row: its primary key, and what is unique."""
    columns = {field.name: str(field.column) for field in model._meta.local_concrete_fields}
    yield from ([columns[field.name]] for field in model._meta.local_concrete_fields if field.unique)
    for constraint in model._meta.total_unique_constraints:
        yield [columns[name] for name in constraint.fields]


_TRIGGERS = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """
        SELECT tgname, relname, tgenabled::text || coalesce((
            SELECT string_agg(attname, ',' ORDER BY attname COLLATE "C") FROM pg_attribute
            WHERE attrelid = tgrelid AND attnum = ANY (tgattr)
        ), '')
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND pg_table_is_visible(tgrelid)""",
}
"""Name, table, and what is compared: the whole statement, or whether it is enabled and for which columns."""
_COLUMNS = {
    "sqlite": """
        SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_xinfo(tables.name) AS columns
        WHERE tables.type = 'table' AND tables.name LIKE 'loyalink%'""",
    "postgresql": """
        SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND pg_table_is_visible(pg_class.oid)
        AND relname LIKE 'loyalink%'""",
}
_FUNCTION = f"""CREATE OR REPLACE FUNCTION {PREFIX}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change; write another one', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$"""
