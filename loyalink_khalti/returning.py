"""Statements of the hot path: they write and read in one, and are compiled once in a process.

Django's ``update`` says how many rows it has changed; what they contain then takes a second statement, and between the
two another process may change them. PostgreSQL, and SQLite since 3.35, answer both in one: ``UPDATE … RETURNING``.
And Django builds the SQL of a queryset anew each time, which costs far more than to run it. A ``Select`` or an
``Update`` here is built once; a run fills in what is ``Given``. Django compiles every statement, so that names are
quoted and values are parameters, adapted by their fields. Signals of Django's models are not sent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, connections, models, router, transaction
from django.db.models import Expression, QuerySet
from django.db.models.expressions import BaseExpression, Combinable
from django.db.models.sql import InsertQuery, UpdateQuery
from django.db.transaction import TransactionManagementError

from .clock import DatabaseTime, compiled_for_later, is_replaced, server_now

M = TypeVar("M", bound=models.Model)
Wanted = str | BaseExpression | Combinable
"""What a statement returns of a row: a field by its name, or an expression about the row."""


_PLAIN: dict[type, type] = {models.CharField: str, models.TextField: str, models.BigIntegerField: int}
"""Django's fields that write values of one type as they are."""


class Given(Expression):
    """A value of a statement that each run supplies, by name.

    As a value to be written, the field adapts it; in a condition it is a number, a text or a time, never None.
    """

    def __init__(self, name: str, field: Any = None) -> None:
        super().__init__()
        self.name, self.target = name, field
        self.plain = _PLAIN.get(type(field))

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def adapted(self, given: Mapping[str, Any], connection: Any) -> Any:
        value: Any = given[self.name]
        if self.target is not None:
            return value if type(value) is self.plain else self.target.get_db_prep_save(value, connection)
        if isinstance(value, datetime):
            return connection.ops.adapt_datetimefield_value(value)
        if not isinstance(value, int | str | timedelta):
            raise TypeError(f"{self.name} cannot be compared with {value!r}")
        return value


class _Plan:
    """One compiled statement: SQL, parameters of which some are given later, and how to read its columns."""

    def __init__(self, sql: str, params: Iterable[Any], columns: Sequence[Any], connection: Any) -> None:
        self.sql, self.params = sql, tuple(params)
        self.given = [(at, each) for at, each in enumerate(self.params) if isinstance(each, Given | DatabaseTime)]
        self.converted = [
            (index, column)
            for index, column in enumerate(columns)
            if connection.ops.get_db_converters(column) or column.get_db_converters(connection)
        ]

    def rows(self, using: str, given: Mapping[str, Any]) -> list[Any]:
        connection = connections[using]
        params = list(self.params)
        for at, param in self.given:
            params[at] = _adapted(param, given, connection)
        with transaction.mark_for_rollback_on_error(using=using), connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            found = cursor.fetchall()
        if not found or not self.converted:
            return list(found)
        kept = connection.__dict__.setdefault("loyalink_khalti_converters", WeakKeyDictionary())  # they hold it
        if self not in kept:
            kept[self] = [
                (index, [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)], column)
                for index, column in self.converted
            ]
        rows = [list(row) for row in found]
        for row in rows:
            for index, functions, column in kept[self]:
                for convert in functions:
                    row[index] = convert(row[index], column, connection)
        return rows


def _adapted(param: Given | DatabaseTime, given: Mapping[str, Any], connection: Any) -> Any:
    if isinstance(param, Given):
        return param.adapted(given, connection)
    offset = given[param.offset.name] if isinstance(param.offset, Given) else param.offset
    return connection.ops.adapt_datetimefield_value(server_now() + offset)


class _Statement(ABC):
    """What is compiled once for each kind of database."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self._plans: dict[tuple[str, bool], Any] = {}

    def _plan(self, using: str) -> Any:
        # A test may replace the database's time: then it is a parameter on PostgreSQL, too.
        key = connections[using].vendor, is_replaced()
        if key not in self._plans:
            with compiled_for_later():
                self._plans[key] = self._compile(using)
        return self._plans[key]

    @abstractmethod
    def _compile(self, using: str) -> Any: ...


class Select(_Statement, Generic[M]):
    """A queryset that is compiled once: ``Select(Payment, lambda: Payment.objects.filter(pk=Given("pk")))``.

    It may have ``select_related``, annotations, ``select_for_update`` or ``values_list``, and says how many rows it
    reads. It reads where the model is written.
    """

    def __init__(self, model: type[M], build: "Callable[[], QuerySet[M, Any]]") -> None:
        super().__init__(model)
        self._build = build

    def all(self, **given: Any) -> list[Any]:
        """Return the rows. Raises ``TransactionManagementError`` for one that locks outside a transaction."""
        using = router.db_for_write(self.model)
        plan, make, is_locking = self._plan(using)
        if is_locking and connections[using].get_autocommit():
            raise TransactionManagementError("rows are locked inside a transaction only")
        return [make(row, using) for row in plan.rows(using, given)]

    def first(self, **given: Any) -> Any:
        """Return the first row; None without one."""
        return next(iter(self.all(**given)), None)

    def _compile(self, using: str) -> Any:
        rows: Any = self._build().using(using)
        query = rows.query
        compiler = query.get_compiler(using)
        sql, params = compiler.as_sql()
        columns = [each[0] for each in compiler.select]
        plan = _Plan(sql, params, columns, connections[using])
        is_locking = query.select_for_update and connections[using].features.has_select_for_update
        info = compiler.klass_info if rows._fields is None else None
        return plan, _maker(info, columns, compiler.annotation_col_map or {}), is_locking


def _maker(info: Any, columns: Sequence[Any], annotations: Mapping[str, int]) -> Callable[[Any, str], Any]:
    """Return what makes an instance of a row, with its ``select_related``; a tuple for ``values_list``."""
    if info is None:
        return lambda row, _using: tuple(row)
    positions = info["select_fields"]
    names = [columns[position].target.attname for position in positions]
    model, pk = info["model"], positions[names.index(info["model"]._meta.pk.attname)]
    related = [
        (each["local_setter"], each["remote_setter"], _maker(each, columns, {}))
        for each in info.get("related_klass_infos", ())
    ]

    def make(row: Any, using: str) -> Any:
        if row[pk] is None:
            return None
        made = model.from_db(using, names, [row[position] for position in positions])
        for set_here, set_there, make_other in related:
            other = make_other(row, using)
            set_here(made, other)
            if other is not None:
                set_there(other, made)
        for name, position in annotations.items():
            setattr(made, name, row[position])
        return made

    return make


class Update(_Statement):
    """A conditional UPDATE that is compiled once, and what it returns of each row.

    ``rows`` builds the queryset, ``values`` has what is written by field name, ``Given`` or another expression.
    """

    def __init__(
        self,
        model: type[models.Model],
        rows: "Callable[[], QuerySet[Any]]",
        values: "Mapping[str, Any]",
        returning: Sequence[Wanted] = ("pk",),
    ) -> None:
        super().__init__(model)
        self._rows, self._values, self._returning = rows, values, returning

    def run(self, **given: Any) -> list[Any]:
        """Write, and return what ``returning`` wants of each row that fulfils the condition, as it is then."""
        using = router.db_for_write(self.model)
        found: list[Any] = self._plan(using).rows(using, given)
        return found

    def _compile(self, using: str) -> _Plan:
        return _update_plan(self._rows(), self._values, self._returning, using)


def update_returning(rows: "QuerySet[Any]", values: Mapping[str, Any], *returning: Wanted) -> list[tuple[Any, ...]]:
    """Update the rows with the values by field name, and return what each of them contains then, in no order.

    ``returning`` names fields (``"state"``, ``"purchase_id"``), or has expressions about the row: a ``DatabaseTime``,
    an ``Exists`` with ``OuterRef``, which sees other tables as they were before the statement. A value may be an
    expression such as ``F("lookup_count") + 1``. ``rows`` is any queryset without a slice, of one table with one key.
    It raises what ``QuerySet.update`` raises, and is compiled at each call: see ``Update``.
    """
    using = _using(rows)
    return [tuple(row) for row in _update_plan(rows, values, returning, using).rows(using, {})]


def update_rows(rows: "QuerySet[M]", values: Mapping[str, Any]) -> list[M]:
    """Update the rows like ``update_returning``, and return them, with all fields, as they are then."""
    names = [field.attname for field in rows.model._meta.concrete_fields]
    return [rows.model.from_db(rows.db, names, row) for row in update_returning(rows, values, *names)]


def save_fields(row: models.Model, *names: str) -> None:
    """Write these fields of a row that exists, as ``save(update_fields=…)`` does, by a statement compiled once.

    Raises ``DatabaseError`` where the row is gone.
    """
    values = {f"new_{name}": getattr(row, row._meta.get_field(name).attname) for name in names}  # type: ignore[union-attr]
    if not _saving(type(row), names).run(pk=row.pk, **values):
        raise DatabaseError(f"{type(row).__name__} {row.pk} is gone")


@cache
def _saving(model: type[models.Model], names: tuple[str, ...]) -> Update:
    values = {name: Given(f"new_{name}") for name in names}
    return Update(model, lambda: model._base_manager.filter(pk=Given("pk")), values)


def insert(row: models.Model) -> None:
    """Insert a row by a statement compiled once, and set its primary key and what the database has computed."""
    if not _insert(row, is_once=False):
        raise DatabaseError(f"no {type(row).__name__} was inserted")


def insert_new(row: models.Model) -> bool:
    """Insert a row, unless a unique constraint has it already; return whether it is new, and set its primary key.

    One statement, which fails no transaction: no savepoint is needed around it. On a conflict with a row that is not
    committed yet it waits until that row is, as any INSERT does.
    """
    return _insert(row, is_once=True)


def _insert(row: models.Model, *, is_once: bool) -> bool:
    model = type(row)
    using = router.db_for_write(model)
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key or row.pk is not None]
    given, computed = {}, []
    for field in fields:
        value = field.pre_save(row, add=True)
        if hasattr(value, "resolve_expression"):
            computed.append((field.attname, value))
        else:
            given[field.attname] = value
    times = tuple((name, value.offset) for name, value in computed if isinstance(value, DatabaseTime))
    if len(times) == len(computed):
        statement = _inserting(model, tuple(field.attname for field in fields), times, is_once)
    else:
        statement = _Insert(model, [field.attname for field in fields], dict(computed), is_once=is_once)
    found = statement._plan(using).rows(using, given)
    if not found:
        return False
    for name, value in zip(statement.returned, found[0], strict=True):
        setattr(row, name, value)
    row._state.adding, row._state.db = False, using
    return True


class _Insert(_Statement):
    def __init__(
        self, model: type[models.Model], names: Sequence[str], computed: Mapping[str, Any], *, is_once: bool
    ) -> None:
        super().__init__(model)
        self._names, self._computed, self._is_once = names, computed, is_once
        pk: Any = model._meta.pk
        self.returned = [pk.attname, *computed]

    def _compile(self, using: str) -> _Plan:
        by_name: dict[str, Any] = {field.attname: field for field in self.model._meta.local_concrete_fields}
        pattern = self.model()
        for name in self._names:
            setattr(pattern, name, self._computed.get(name, Given(name, by_name[name])))
        query: Any = InsertQuery(self.model)
        query.insert_values([by_name[name] for name in self._names], [pattern])
        [(sql, params)] = query.get_compiler(using).as_sql()
        # Django's INSERT OR IGNORE on SQLite would pass over a CHECK or a NOT NULL constraint, too.
        sql += " ON CONFLICT DO NOTHING" if self._is_once else ""
        columns = [by_name[name].get_col(self.model._meta.db_table) for name in self.returned]
        quoted = [connections[using].ops.quote_name(by_name[name].column) for name in self.returned]
        return _Plan(f"{sql} RETURNING {', '.join(quoted)}", params, columns, connections[using])


@cache
def _inserting(
    model: type[models.Model], names: tuple[str, ...], times: tuple[tuple[str, timedelta], ...], is_once: bool
) -> _Insert:
    return _Insert(model, names, {name: DatabaseTime(offset) for name, offset in times}, is_once=is_once)


def _update_plan(rows: Any, values: Mapping[str, Any], returning: Sequence[Wanted], using: str) -> _Plan:
    if rows.query.is_sliced or rows.query.combinator:
        raise TypeError("only rows of one filter can be updated: no slice and no union")
    query = rows.order_by().query.chain(UpdateQuery)
    model = rows.model
    fields = {name: model._meta.get_field(name) for name in values}
    query.add_update_values(
        {
            name: Given(value.name, fields[name]) if isinstance(value, Given) else value
            for name, value in values.items()
        }
    )
    query.annotations = {}
    compiler = query.get_compiler(using)
    sql, params = compiler.as_sql()
    columns = [_column(model, query, each) for each in returning]
    compiled = [compiler.compile(column) for column in columns]
    texts = ", ".join(text for text, _params in compiled)
    more = [param for _text, column_params in compiled for param in column_params]
    return _Plan(f"{sql} RETURNING {texts}", [*params, *more], columns, connections[using])


def _using(rows: Any) -> str:
    rows._for_write = True
    return str(rows.db)


def _column(model: type[models.Model], query: Any, wanted: Any) -> Any:
    if not isinstance(wanted, str):
        return wanted.resolve_expression(query, for_save=True)
    pk: Any = model._meta.pk
    for field in model._meta.concrete_fields:
        if wanted in (field.name, field.attname) or (wanted == "pk" and field is pk):
            return field.get_col(model._meta.db_table)
    raise FieldDoesNotExist(f"{model._meta.object_name} has no field {wanted!r}")
