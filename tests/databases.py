"""Databases for the tests: migrated once, kept, and copied.

Migrating Wagtail and Oscar takes half a minute, so what comes of it is kept under ``.venv/test-databases``, named
after a digest of the migrations. A session works on a copy of its own, which every transactional test leaves as it
was. The migrations of others are slow and seldom change, so they are kept apart too: a change in ours costs seconds.
"""

import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import django
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from tests import postgres

CACHE = Path(sys.prefix) / "test-databases"
ROOT = Path(__file__).parent.parent
MANY = 6


class Engine(Protocol):
    """What can be kept and copied."""

    name: str

    def open(self, kept: Path | None, *, save_to: Path | None = None) -> AbstractContextManager[Callable[[], None]]:
        """Work on a copy of ``kept``, or on nothing; maybe keep the result; yield what puts the copy back."""


class SQLite:
    """A file, copied."""

    name = "sqlite"

    @contextmanager
    def open(self, kept: Path | None, *, save_to: Path | None = None) -> Iterator[Callable[[], None]]:
        with tempfile.TemporaryDirectory(prefix="loyalink-sqlite-", ignore_cleanup_errors=True) as folder:
            template = Path(folder) / "template"
            if kept:
                shutil.copyfile(kept, template)
            serial = itertools.count()

            def again() -> None:
                # Always a new name: a forgotten connection of an ended test may still write to the old one.
                fresh = Path(folder) / f"{next(serial)}.sqlite3"
                if kept:
                    shutil.copyfile(template, fresh)
                point_at(NAME=str(fresh))

            again()
            yield again
            connections.close_all()
            if save_to:
                shutil.move(connection.settings_dict["NAME"], save_to)


class PostgreSQL:
    """A server's whole folder, copied; its one database is then put back, for making another takes a second."""

    name = "postgresql"

    @contextmanager
    def open(self, kept: Path | None, *, save_to: Path | None = None) -> Iterator[Callable[[], None]]:
        with postgres.cluster(kept) as cluster:
            with cluster.running() as address:
                point_at(NAME=postgres.DATABASE, **address)
                if not save_to:
                    cluster.execute(*REMEMBER)

                def again() -> None:
                    connections.close_all()
                    cluster.execute(*PUT_BACK)

                yield again
                connections.close_all()
            if save_to:
                shutil.copytree(cluster.data, save_to)


# Copies the rows that the migrations made into a schema of its own: ``remembered``.
REMEMBER = (
    "CREATE SCHEMA remembered",
    """
    DO $$ DECLARE name text; has_rows boolean; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO has_rows;
            IF has_rows THEN EXECUTE format('CREATE TABLE remembered.%1$I AS TABLE public.%1$I', name); END IF;
        END LOOP;
    END $$
    """,
)
# Ends whoever is still connected, then empties what has rows and should not, and refills what is not as it was. The
# role "replica" leaves foreign keys and triggers alone; a few DELETEs are far quicker than TRUNCATE of 200 tables.
PUT_BACK = (
    """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    """,
    "SET session_replication_role = replica",
    """
    DO $$ DECLARE name text; changed boolean; BEGIN
        FOR name IN SELECT t.tablename FROM pg_tables t WHERE t.schemaname = 'public' LOOP
            IF to_regclass(format('remembered.%I', name)) IS NULL THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO changed;
                IF changed THEN EXECUTE format('DELETE FROM public.%I', name); END IF;
            ELSE
                EXECUTE format(
                    'SELECT (SELECT array_agg(t::text ORDER BY t::text) FROM public.%1$I t) IS DISTINCT FROM'
                    ' (SELECT array_agg(r::text ORDER BY r::text) FROM remembered.%1$I r)', name
                ) INTO changed;
                IF changed THEN
                    EXECUTE format('DELETE FROM public.%I', name);
                    EXECUTE format('INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE TABLE remembered.%1$I', name);
                END IF;
            END IF;
        END LOOP;
    END $$
    """,
)


def engine() -> Engine:
    """Tell which database this run tests."""
    return PostgreSQL() if connection.vendor == "postgresql" else SQLite()


def template() -> Path:
    """Return the migrated database that sessions copy, making it if there is none."""
    kind, loader = engine(), MigrationLoader(None)
    foreign = {key for key in loader.graph.nodes if is_foreign(loader, key)}
    first = keep(kind, digest(loader, foreign), None, lambda: migrate_only(foreign))
    return keep(kind, digest(loader, set(loader.graph.nodes)), first, migrate_all)


def migrated() -> AbstractContextManager[Callable[[], None]]:
    """Work on a copy of the migrated database; yield what makes it as it was."""
    return engine().open(template())


def keep(kind: Engine, mark: str, start: Path | None, step: Callable[[], None]) -> Path:
    """Return the kept database called ``mark``, made from ``start`` by ``step`` if there is none."""
    kept = CACHE / f"{kind.name}-{mark}"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="making-") as folder:
            made = Path(folder) / "made"
            with kind.open(start, save_to=made):
                step()
            try:
                made.rename(kept)  # at once or not at all, so that two sessions may do this at the same time
            except OSError:
                if not kept.exists():
                    raise
        forget(kind)
    os.utime(kept)
    return kept


def forget(kind: Engine) -> None:
    """Remove all but the few that were used last."""
    for old in sorted(CACHE.glob(f"{kind.name}-*"), key=lambda path: path.stat().st_mtime)[:-MANY]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()


def migrate_only(keys: set[tuple[str, str]]) -> None:
    """Apply the migrations ``keys``, which need no others."""
    executor = MigrationExecutor(connection)
    everything = executor.migration_plan(executor.loader.graph.leaf_nodes())
    executor.migrate(None, [step for step in everything if (step[0].app_label, step[0].name) in keys])


def migrate_all() -> None:
    """Apply whatever is left, and let the apps make their permissions."""
    call_command("migrate", verbosity=0, interactive=False)


def is_foreign(loader: MigrationLoader, key: tuple[str, str]) -> bool:
    """Tell whether neither this migration nor any that it needs is a file of this project."""
    return not any(
        source(loader.graph.nodes[needed]).is_relative_to(ROOT)
        and not source(loader.graph.nodes[needed]).is_relative_to(sys.prefix)
        for needed in loader.graph.forwards_plan(key)
    )


def digest(loader: MigrationLoader, keys: set[tuple[str, str]]) -> str:
    """Name these migrations by what is in their files, and by the version of Django that runs them."""
    total = hashlib.sha256(repr(django.VERSION).encode())
    for key in sorted(keys):
        total.update(repr(key).encode() + source(loader.graph.nodes[key]).read_bytes())
    return total.hexdigest()[:16]


def source(migration: Migration) -> Path:
    """Return the file of ``migration``."""
    return Path(str(sys.modules[type(migration).__module__].__file__))


def point_at(**settings: str) -> None:
    """Let every thread's next connection go there."""
    connections.close_all()
    connection.settings_dict.update(settings)
