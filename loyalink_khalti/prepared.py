"""Statements that Django compiles once in a process, and not for each call.

To build and compile a query takes Django several times as long as to send it and to read the answer. So what runs for
every payment is compiled once, with a ``Param`` for each value that changes::

    _current = Select(lambda: Credentials.objects.filter(site_key=Param("site_key"), retired_at=None))
    row = _current.first(site_key="default")

It is the same statement on the same connection as before; only its text is kept. (It is no prepared statement of the
server's, which a pool of connections would lose.) It goes to the default database, as the flow's transactions do.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.models import Expression, QuerySet
from django.db.models.sql import InsertQuery, UpdateQuery

from loyalink_khalti import clock

M = TypeVar("M", bound=models.Model)


class Param(Expression):
    """A value that a call gives by this name; with a ``field``, one that the field has to prepare (a time, JSON).

    Where the call gives None it stands for NULL: right for what is written, and equal to nothing in a filter.
    """

    def __init__(self, name: str, field: "models.Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field=field)
        self.name, self.prepared_by = name, field

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def bind(self, values: Mapping[str, Any], database: Any) -> Any:
        """Return the value for the driver."""
        value = values[self.name]
        return value if self.prepared_by is None else self.prepared_by.get_db_prep_save(value, database)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A compiled statement: its SQL, its parameters, and what converts the columns of its answer."""

    sql: str
    params: tuple[Any, ...]
    converters: tuple[tuple[int, list[Callable[..., Any]], Any], ...] = ()
    shape: "_Shape | None" = None

    def execute(self, values: Mapping[str, Any], *, read: bool = True) -> list[tuple[Any, ...]]:
        bound = [each.bind(values, connection) if hasattr(each, "bind") else each for each in self.params]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, bound)
            found: list[tuple[Any, ...]] = cursor.fetchall() if read else []
        return [self._converted(row) for row in found] if self.converters else found

    def _converted(self, row: Sequence[Any]) -> tuple[Any, ...]:
        columns = list(row)
        for position, converters, expression in self.converters:
            for converter in converters:
                columns[position] = converter(columns[position], expression, connection)
        return tuple(columns)


class _Statement(ABC):
    """A statement, and its text once it is compiled: tests that replace the database's time have another one."""

    def __init__(self) -> None:
        self._texts: dict[bool, _Text] = {}

    def _text(self) -> _Text:
        is_replaced = clock.is_replaced()
        text = self._texts.get(is_replaced)
        if text is None:
            text = self._texts[is_replaced] = self._compile_apart()
        return text

    def _compile_apart(self) -> _Text:
        """Compile with a connection that is never opened, so that what is kept holds none of any thread."""
        apart: Any = connections.create_connection(DEFAULT_DB_ALIAS)
        apart.prepares = True
        apart.get_autocommit = lambda: False  # a locking query may be compiled outside a transaction
        try:
            return self._compile(apart)
        finally:
            apart.close()

    @abstractmethod
    def _compile(self, database: Any) -> _Text: ...


class Select(_Statement, Generic[M]):
    """A query, whose ``Param``s each call gives: of model instances, or of tuples after ``values_list``."""

    def __init__(self, build: "Callable[[], QuerySet[M, Any]]") -> None:
        super().__init__()
        self._build = build

    def all(self, **values: Any) -> list[Any]:
        """Return all rows."""
        text = self._text()
        rows = text.execute(values)
        return rows if text.shape is None else [text.shape.instance(row) for row in rows]

    def first(self, **values: Any) -> Any:
        """Return the first row, None without one. The query says how many it reads, and in which order."""
        return next(iter(self.all(**values)), None)

    def _compile(self, database: Any) -> _Text:
        rows = self._build()
        compiler: Any = rows.query.get_compiler(connection=database)
        sql, params = compiler.as_sql()
        columns = [column for column, _sql, _alias in compiler.select]
        return _Text(
            sql=sql,
            params=tuple(params),
            converters=_converters(compiler, columns),
            shape=_Shape.of(compiler) if compiler.klass_info and not rows._fields else None,  # type: ignore[attr-defined]
        )


class Update(_Statement):
    """An UPDATE of the rows of a query. With ``returning``, names of fields, it reads them in the same statement."""

    def __init__(
        self, build: "Callable[[], QuerySet[Any, Any]]", values: Mapping[str, Any], *, returning: Sequence[str]
    ) -> None:
        super().__init__()
        self._build, self._values, self._returning = build, values, returning

    def run(self, **values: Any) -> list[tuple[Any, ...]]:
        """Update, and return the ``returning`` fields of each row as they are then."""
        with transaction.mark_for_rollback_on_error(using=DEFAULT_DB_ALIAS):
            return self._text().execute(values)

    def _compile(self, database: Any) -> _Text:
        rows = self._build()
        query: Any = rows.order_by().query.chain(UpdateQuery)
        query.add_update_values(dict(self._values))
        query.annotations = {}
        compiler = query.get_compiler(connection=database)
        sql, params = compiler.as_sql()
        return _with_returning(compiler, rows.model, sql, params, self._returning)


class Insert(_Statement):
    """An INSERT of one row; the database computes ``values``, by the names of fields, and they are read with the key.

    It is ``save(force_insert=True)`` without signals.
    """

    def __init__(self, model: type[models.Model], **values: Any) -> None:
        super().__init__()
        self._model, self._values = model, values
        self._returned = (self._model._meta.pk.attname, *values)

    def run(self, row: models.Model) -> None:
        """Insert ``row``, and set its primary key and what the database has computed."""
        with transaction.mark_for_rollback_on_error(using=DEFAULT_DB_ALIAS):
            [found] = self._text().execute(row.__dict__)
        row.__dict__.update(zip(self._returned, found, strict=True))
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS

    def _compile(self, database: Any) -> _Text:
        fields = [field for field in self._model._meta.local_concrete_fields if not field.primary_key]
        given = {field.attname: self._values.get(field.name, Param(field.attname, field)) for field in fields}
        query: Any = InsertQuery(self._model)
        query.insert_values(fields, [_Given(given)], raw=True)
        compiler = query.get_compiler(connection=database)
        [(sql, params)] = compiler.as_sql()
        return _with_returning(compiler, self._model, sql, params, self._returned)


class _Given:
    """What the compiler takes for a row: an expression for each field."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.__dict__.update(given)


def _with_returning(
    compiler: Any, model: type[models.Model], sql: str, params: Sequence[Any], names: Sequence[str]
) -> _Text:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    columns = [fields[name].get_col(model._meta.db_table) for name in names]
    quoted = ", ".join(compiler.connection.ops.quote_name(fields[name].column) for name in names)
    return _Text(sql=f"{sql} RETURNING {quoted}", params=tuple(params), converters=_converters(compiler, columns))


def _converters(compiler: Any, columns: Sequence[Any]) -> tuple[tuple[int, list[Callable[..., Any]], Any], ...]:
    found = compiler.get_converters(columns)
    return tuple((position, converters, expression) for position, (converters, expression) in found.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How a row becomes a model instance with its annotations and its related rows (``select_related``)."""

    model: type[models.Model]
    names: list[str]
    columns: slice
    key: int
    annotations: tuple[tuple[str, int], ...] = ()
    related: "tuple[tuple[Callable[..., None], Callable[..., None], _Shape], ...]" = ()

    @classmethod
    def of(cls, compiler: Any) -> "_Shape":
        return cls._of(compiler, compiler.klass_info, tuple((compiler.annotation_col_map or {}).items()))

    @classmethod
    def _of(cls, compiler: Any, info: Mapping[str, Any], annotations: tuple[tuple[str, int], ...] = ()) -> "_Shape":
        model, positions = info["model"], info["select_fields"]
        names = [compiler.select[position][0].target.attname for position in positions]
        return cls(
            model=model,
            names=names,
            columns=slice(positions[0], positions[-1] + 1),
            key=positions[names.index(model._meta.pk.attname)],
            annotations=annotations,
            related=tuple(
                (each["local_setter"], each["remote_setter"], cls._of(compiler, each))
                for each in info.get("related_klass_infos", ())
            ),
        )

    def instance(self, row: tuple[Any, ...]) -> Any:
        made: Any = self.model.from_db(DEFAULT_DB_ALIAS, self.names, row[self.columns])
        for name, position in self.annotations:
            setattr(made, name, row[position])
        for local_setter, remote_setter, shape in self.related:
            other = None if row[shape.key] is None else shape.instance(row)
            local_setter(made, other)
            if other is not None:
                remote_setter(other, made)
        return made
