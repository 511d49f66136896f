"""Write and read in one statement: ``UPDATE … RETURNING``, and ``INSERT … ON CONFLICT DO NOTHING``.

Django's ``update`` says how many rows it has changed; what they contain then takes a second statement, and between the
two another process may change them. PostgreSQL, and SQLite since 3.35, answer both in one. Django compiles the
statement, so that names are quoted and values are parameters; it is the same for Django 5.2 to 6.1.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models, transaction
from django.db.models import QuerySet
from django.db.models.expressions import BaseExpression, Combinable
from django.db.models.sql import InsertQuery, UpdateQuery

M = TypeVar("M", bound=models.Model)


def update_returning(
    rows: "QuerySet[Any]", values: Mapping[str, Any], *returning: str | BaseExpression | Combinable
) -> list[tuple[Any, ...]]:
    """Update the rows with the values by field name, and return what each of them contains then, in no order.

    ``returning`` names fields (``"state"``, ``"purchase_id"``), or has expressions about the row: a ``DatabaseTime``,
    an ``Exists`` with ``OuterRef``, which sees other tables as they were before the statement. A value may be an
    expression such as ``F("lookup_count") + 1``. ``rows`` is any queryset without a slice, of one table with one key.
    Raises what ``QuerySet.update`` raises; a constraint that refuses it breaks the transaction in the same way.
    """
    if rows.query.is_sliced or rows.query.combinator:
        raise TypeError("only rows of one filter can be updated: no slice and no union")
    using, model = _using(rows), rows.model
    query: Any = rows.order_by().query.chain(UpdateQuery)
    query.add_update_values(dict(values))
    query.annotations = {}
    compiler = query.get_compiler(using)
    sql, params = compiler.as_sql()
    columns = [_column(model, query, each) for each in returning]
    texts, more = [], []
    for column in columns:
        text, column_params = compiler.compile(column)
        texts.append(text)
        more += column_params
    with transaction.mark_for_rollback_on_error(using=using), connections[using].cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {', '.join(texts)}", (*params, *more))
        found = cursor.fetchall()
    converters = compiler.get_converters(columns)
    return [tuple(row) for row in compiler.apply_converters(found, converters)] if converters else list(found)


def update_rows(rows: "QuerySet[M]", values: Mapping[str, Any]) -> list[M]:
    """Update the rows like ``update_returning``, and return them, with all fields, as they are then."""
    fields = rows.model._meta.concrete_fields
    names = [field.attname for field in fields]
    found = update_returning(rows, values, *names)
    return [rows.model.from_db(rows.db, names, row) for row in found]


def insert_new(row: models.Model) -> bool:
    """Insert a row, unless a unique constraint has it already; return whether it is new, and set its primary key.

    One statement, which fails no transaction: no savepoint is needed around it. On a conflict with a row that is not
    committed yet it waits until that row is, as any INSERT does. ``save`` and its signals are not called.
    """
    model, meta = type(row), type(row)._meta
    pk: Any = meta.pk
    using = _using(model._base_manager.all())
    fields = [field for field in meta.local_concrete_fields if field is not pk or row.pk is not None]
    query = InsertQuery(model)
    query.insert_values(fields, [row])
    [(sql, params)] = query.get_compiler(using).as_sql()
    # Django's INSERT OR IGNORE on SQLite would pass over a CHECK or a NOT NULL constraint, too.
    sql += f" ON CONFLICT DO NOTHING RETURNING {connections[using].ops.quote_name(pk.column)}"
    with transaction.mark_for_rollback_on_error(using=using), connections[using].cursor() as cursor:
        cursor.execute(sql, params)
        found = cursor.fetchone()
    if found is None:
        return False
    row.pk = found[0]
    row._state.adding, row._state.db = False, using
    return True


def _using(rows: Any) -> str:
    rows._for_write = True
    using: str = rows.db
    return using


def _column(model: type[models.Model], query: Any, wanted: Any) -> Any:
    if not isinstance(wanted, str):
        return wanted.resolve_expression(query, for_save=True)
    for field in model._meta.concrete_fields:
        if wanted in (field.name, field.attname):
            return field.get_col(model._meta.db_table)
    raise FieldDoesNotExist(f"{model._meta.object_name} has no field {wanted!r}")
