"""All tables can be removed and created again; a migration that is killed halfway is completed when it runs again."""

import os
import random
import signal
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from loyalink_khalti import append_only
from tests.cutting import Cut, Way, fork, wait_for
from tests.migrating import Executor

pytestmark = [
    pytest.mark.money,
    pytest.mark.postgresql_first,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sampled,
]

OURS = "loyalink_khalti"
SLOW = [pytest.mark.slow, pytest.mark.timeout(900)]
INSIDE = random.Random("B11").sample(range(12, 100), 20)
"""Statements of the first migration, which creates nearly all tables."""


def migrate(to: str | None, *, fake_initial: bool = False) -> None:
    """Migrate to ``to``, as ``manage.py migrate`` does, without creating permissions."""
    Executor(connection).migrate([(OURS, to)], fake_initial=fake_initial)
    append_only.install(connection)


def latest() -> str:
    [(_label, name)] = MigrationExecutor(connection).loader.graph.leaf_nodes(OURS)
    return str(name)


def schema() -> dict[str, Any]:
    """Return columns, constraints and triggers of our tables, and the applied migrations."""
    introspection, found = connection.introspection, {}
    with connection.cursor() as cursor:
        for model in apps.get_app_config(OURS).get_models():
            table = model._meta.db_table
            columns = sorted(column.name for column in introspection.get_table_description(cursor, table))
            found[table] = columns, sorted(introspection.get_constraints(cursor, table))
        if connection.vendor == "postgresql":
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname")
            found["triggers"] = cursor.fetchall()
    return {**found, "applied": applied()}


def applied() -> list[str]:
    return sorted(name for label, name in MigrationRecorder(connection).applied_migrations() if label == OURS)


@pytest.fixture
def whole() -> Iterator[dict[str, Any]]:
    """The schema before the test. It is complete again at the end: on PostgreSQL later tests use the same tables."""
    yield schema()
    migrate(latest(), fake_initial=True)
    executor = Executor(connection)
    executor.migrate(executor.leaves())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", [INSIDE[0], *(pytest.param(at, marks=SLOW) for at in INSIDE[1:])])
def test_all_tables_can_be_removed_and_a_migration_killed_inside_is_completed_by_the_next_run(
    at: int, whole: dict[str, Any]
) -> None:
    """B11; and the reverse of every migration runs."""
    end = latest()
    migrate(None)
    tables = {model._meta.db_table for model in apps.get_app_config(OURS).get_models()}
    assert tables.intersection(connection.introspection.table_names()) == set()
    cut_off = Cut(Way(by="kill", executed=False), at)
    cut_off(lambda: migrate(end))
    assert (cut_off.landed, applied()) == (True, [])

    migrate(end)

    assert schema() == whole


@pytest.mark.slow
def test_a_first_migration_killed_before_it_was_recorded_is_completed_with_fake_initial(whole: dict[str, Any]) -> None:
    """B11: Django commits the tables of a migration with foreign keys first, and records it after."""
    end = latest()
    migrate(None)

    def migrate_and_die() -> None:
        with patch.object(MigrationRecorder, "record_applied", lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
            migrate(end)

    assert os.WIFSIGNALED(wait_for(fork(migrate_and_die)))

    migrate(end, fake_initial=True)

    assert schema() == whole
