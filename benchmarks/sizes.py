"""How much a payment adds to the database: rows, and bytes with their indexes; docs/scaling.md has the result.

    python3.12 -m benchmarks.sizes [--payments 50000]

A few real sales of a member, who earns and spends points, are made, and all rows that they have added are multiplied,
so that the tables and indexes are as large as those of a shop that has sold for a while.
"""

import argparse
from collections.abc import Callable
from typing import Any

from benchmarks import bootstrap
from benchmarks.figures import table
from benchmarks.loops import POINTS, Ours

SALES = 20
PER_DAY = (10, 1_000, 100_000)
DAYS = 365
GIGA = 1_000_000_000


def counts() -> dict[Any, int]:
    """Return the rows of every table of this package, by model."""
    from django.apps import apps

    return {model: model._default_manager.count() for model in apps.get_app_config("loyalink_khalti").get_models()}


def added(work: Callable[[], object], *, times: int) -> dict[Any, float]:
    """Return how many rows of each model one ``work`` adds."""
    before = counts()
    for _ in range(times):
        work()
    return {model: (now - before[model]) / times for model, now in counts().items() if now > before[model]}


def multiply(model: Any, *, copies: int) -> None:
    """Copy every row of a table ``copies`` times, with other values where they have to be unique."""
    from django.db import connection, models

    uniques = [{field.name} for field in model._meta.fields if field.unique and not field.primary_key]
    uniques += [set(each.fields) for each in model._meta.total_unique_constraints]
    uniques += [set(each.fields) for each in model._meta.constraints if isinstance(each, models.UniqueConstraint)]
    chosen = {}
    for field in model._meta.concrete_fields:
        column = f'r."{field.column}"'
        if any(field.name in unique for unique in uniques):
            if isinstance(field, models.CharField):
                random = f"repeat(md5({column} || n) || md5(n || {column}), 4)"
                column = f"left({random}, length({column}))"
            elif field.get_internal_type() in ("BigIntegerField", "ForeignKey"):
                column = f"{column} + n * 1000000"
        if not field.primary_key:
            chosen[field.column] = column
    into, values = ", ".join(f'"{name}"' for name in chosen), ", ".join(chosen.values())
    name = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"INSERT INTO {name} ({into}) SELECT {values} FROM {name} r, generate_series(1, {copies}) n")
        cursor.execute("SET session_replication_role = origin")


def bytes_per_row(model: Any) -> tuple[float, float]:
    """Return the bytes of a row in its table, and in the indexes of the table."""
    from django.db import connection

    name = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {name}")
        cursor.execute(f"SELECT pg_table_size('{name}'), pg_indexes_size('{name}'), count(*) FROM {name}")
        heap, indexes, rows = cursor.fetchone()
    return heap / rows, indexes / rows


def measure(payments: int) -> str:
    """Return the tables of docs/scaling.md. Django is set up."""
    ours = Ours()

    def sale() -> None:
        ours.come_back(ours.begin(member="1", points=POINTS))

    rows = added(sale, times=SALES)
    lines, total = [], 0.0
    for model, number in sorted(rows.items(), key=lambda item: item[0].__name__):
        if number < 0.5:  # one for all of them: a key, a server
            continue
        multiply(model, copies=payments // SALES)
        heap, indexes = bytes_per_row(model)
        total += number * (heap + indexes)
        of_sale = round(number * (heap + indexes))
        lines.append([f"`{model.__name__}`", f"{number:g}", round(heap), round(indexes), of_sale])
    first = table(["rows", "of one sale", "bytes of a row", "of its indexes", "bytes of a sale"], lines)
    years = [[f"{number:,}", f"{number * DAYS:,}", _size(total * number * DAYS)] for number in PER_DAY]
    second = table(["payments a day", "a year", "PostgreSQL grows a year by"], years)
    return f"{first}\n\nOne sale: {total / 1000:.1f} kB.\n\n{second}\n"


def _size(number: float) -> str:
    return f"{number / GIGA:,.1f} GB" if number >= GIGA / 10 else f"{number / 1_000_000:,.0f} MB"


def run(chosen: argparse.Namespace) -> int:
    from benchmarks import servers

    with servers.khalti_stub() as khalti, servers.django_on_postgresql(khalti):
        print(measure(chosen.payments))
    return 0


def prepare() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3.12 -m benchmarks.sizes", description="Bytes of a payment.")
    parser.add_argument("--payments", type=int, default=50_000)
    return parser.parse_args()


if __name__ == "__main__":
    bootstrap.main("benchmarks.sizes", prepare, run)
