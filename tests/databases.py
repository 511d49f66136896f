"""Databases for the tests: migrated once, kept, and copied.

Migrating Wagtail and Oscar takes half a minute, so the result is kept under ``.venv/test-databases``, named by a
digest of the migrations. Each process works on a copy of its own, which every transactional test leaves unchanged. The
migrations of other packages are slow and seldom change, so they are kept separately: a change in ours costs seconds.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from loyalink_khalti import append_only
from loyalink_khalti.loyalty.program import forget_versions
from tests import postgres

CACHE = Path(sys.prefix) / "test-databases"
ROOT = Path(__file__).parent.parent
KEPT = 6
"""How many databases of each kind stay in the cache."""
PLAIN_OPTIONS = settings.DATABASES["default"].get("OPTIONS", {}).get("options")
MIGRATED = "migrated"
"""The snapshot that every test starts with."""


class Database(Protocol):
    """A copy that the tests of one process work on."""

    def save(self, snapshot: str) -> None:
        """Remember all rows under the name ``snapshot``."""

    def restore(self, snapshot: str = MIGRATED) -> None:
        """Replace all rows by those of ``snapshot``. Open connections are closed."""

    def distrust_statistics(self) -> None:
        """Compare every table at the next ``restore``: a TRUNCATE leaves no statistics."""

    def keep(self, target: Path) -> None:
        """Move the database into the cache. It cannot be used afterwards."""


class Engine(Protocol):
    """A kind of database."""

    name: str

    def copy(self, kept: Path | None) -> AbstractContextManager[Database]:
        """Yield a copy of ``kept``, or an empty database."""


class SQLiteFile:
    """A file; a snapshot is a copy of it."""

    def __init__(self, folder: Path, kept: Path | None) -> None:
        self._folder = folder
        self._serial = itertools.count()
        self._use(kept)

    def save(self, snapshot: str) -> None:
        connections.close_all()  # the last connection to close empties the write-ahead log
        shutil.copyfile(connection.settings_dict["NAME"], self._folder / snapshot)

    def restore(self, snapshot: str = MIGRATED) -> None:
        old = Path(connection.settings_dict["NAME"])
        self._use(self._folder / snapshot)
        old.unlink(missing_ok=True)

    def distrust_statistics(self) -> None:
        """Do nothing: the whole file is replaced."""

    def keep(self, target: Path) -> None:
        connections.close_all()
        shutil.move(connection.settings_dict["NAME"], target)

    def _use(self, source: Path | None) -> None:
        # Always a new name: a forgotten connection of an ended test may still write to the old file.
        file = self._folder / f"{next(self._serial)}.sqlite3"
        if source:
            shutil.copyfile(source, file)
        point_at(NAME=str(file))


class SQLite:
    name = "sqlite"

    @contextmanager
    def copy(self, kept: Path | None) -> Iterator[Database]:
        with tempfile.TemporaryDirectory(prefix="loyalink-sqlite-", ignore_cleanup_errors=True) as folder:
            yield SQLiteFile(Path(folder), kept)
            connections.close_all()


class PostgresDatabase:
    """The one database of a server; a snapshot is a schema of it. Creating another database takes a second."""

    def __init__(self, cluster: postgres.Cluster) -> None:
        self._cluster = cluster

    def save(self, snapshot: str) -> None:
        connections.close_all()
        self._cluster.execute(*(statement.replace("SNAPSHOT", snapshot) for statement in SAVE))

    def restore(self, snapshot: str = MIGRATED) -> None:
        # After a crash the server has lost its statistics, which name the tables that have changed.
        only_changed = snapshot == MIGRATED and not self._cluster.has_restarted
        chosen = CHANGED_TABLES if only_changed else ALL_TABLES
        restore = RESTORE.replace("TABLES", chosen).replace("SNAPSHOT", snapshot)
        statements = (TERMINATE_CLIENTS, "SET session_replication_role = replica", restore, *FORGET_CHANGES)
        kept = self._usable_connection()
        if kept is None:
            connections.close_all()
            self._cluster.execute(*statements)
        else:
            for statement in (FLUSH_STATISTICS, *statements, "DISCARD ALL"):
                kept.execute(statement.encode())
            connection.ensure_timezone()
        self._cluster.has_restarted = False
        forget_versions()  # the next versions have the same primary keys

    def _usable_connection(self) -> "psycopg.Connection[Any] | None":
        """Return this thread's connection if it is as new: the next would have to read all about the tables."""
        kept = connection.connection
        if kept is None or kept.closed or kept.broken or connection.in_atomic_block or self._cluster.has_restarted:
            return None
        is_plain = (
            kept.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            and kept.autocommit
            and kept.isolation_level is None
            and (kept.info.host, kept.info.dbname) == (str(self._cluster.data), postgres.DATABASE)
            and kept.info.options == connection.settings_dict["OPTIONS"]["options"] == PLAIN_OPTIONS
        )
        connection.run_on_commit.clear()
        return kept if is_plain else None

    def distrust_statistics(self) -> None:
        self._cluster.has_restarted = True

    def keep(self, target: Path) -> None:
        connections.close_all()
        self._cluster.stop()
        shutil.copytree(self._cluster.data, target)


class PostgreSQL:
    name = "postgresql"

    @contextmanager
    def copy(self, kept: Path | None) -> Iterator[Database]:
        with postgres.cluster(kept) as cluster, cluster.running() as address:
            point_at(NAME=postgres.DATABASE, **address)
            yield PostgresDatabase(cluster)
            connections.close_all()


FLUSH_STATISTICS = "SELECT pg_stat_force_next_flush()"
FORGET_CHANGES = (FLUSH_STATISTICS, "SELECT pg_stat_reset()")
# Copies all tables that have rows into the schema SNAPSHOT.
SAVE = (
    "CREATE SCHEMA SNAPSHOT",
    """
    DO $$ DECLARE name text; has_rows boolean; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO has_rows;
            IF has_rows THEN EXECUTE format('CREATE TABLE SNAPSHOT.%1$I AS TABLE public.%1$I', name); END IF;
        END LOOP;
    END $$
    """,
    *FORGET_CHANGES,
)
TERMINATE_CLIENTS = """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
ALL_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
# A backend reports its statistics before it is gone. A table that a test has created anew is newer than the snapshot.
CHANGED_TABLES = """
    SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'
    AND (n_tup_ins + n_tup_upd + n_tup_del > 0 OR relid > 'SNAPSHOT'::regnamespace::oid)
"""
# Empties and refills the TABLES whose rows are not those of SNAPSHOT. The role "replica" skips foreign keys and
# triggers; a few DELETEs are much quicker than TRUNCATE of 200 tables.
RESTORE = """
    DO $$ DECLARE name text; changed boolean; identity text; BEGIN
        FOR name IN TABLES LOOP
            IF to_regclass(format('SNAPSHOT.%I', name)) IS NULL THEN
                EXECUTE format('DELETE FROM public.%I', name);
                CONTINUE;
            END IF;
            EXECUTE format(
                'SELECT (SELECT array_agg(t::text ORDER BY t::text) FROM public.%1$I t) IS DISTINCT FROM'
                ' (SELECT array_agg(s::text ORDER BY s::text) FROM SNAPSHOT.%1$I s)', name
            ) INTO changed;
            IF changed THEN
                EXECUTE format('DELETE FROM public.%I', name);
                EXECUTE format('INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE TABLE SNAPSHOT.%1$I', name);
                SELECT attname INTO identity FROM pg_attribute
                    WHERE attrelid = format('public.%I', name)::regclass AND attidentity <> '';
                IF identity IS NOT NULL THEN
                    EXECUTE format(
                        'SELECT setval(seq, GREATEST(nextval(seq), (SELECT max(%1$I) FROM public.%2$I)))'
                        ' FROM pg_get_serial_sequence(''public.%2$I'', %1$L) seq', identity, name
                    );
                END IF;
            END IF;
        END LOOP;
    END $$
"""


def engine() -> Engine:
    """Return the kind of database that this run tests."""
    return PostgreSQL() if connection.vendor == "postgresql" else SQLite()


def template() -> Path:
    """Return the migrated database that processes copy, after creating it if it is missing."""
    loader = MigrationLoader(None)
    return keep(engine(), digest(loader, set(loader.graph.nodes)), foreign_template(), migrate_all)


def foreign_template() -> Path:
    """Return the database with the migrations of other packages alone, after creating it if it is missing."""
    loader = MigrationLoader(None)
    foreign = {key for key in loader.graph.nodes if is_foreign(loader, key)}
    return keep(engine(), digest(loader, foreign), None, lambda: migrate_only(foreign))


@contextmanager
def migrated() -> Iterator[Database]:
    """Yield a copy of the migrated database, with its rows saved as ``MIGRATED``."""
    with engine().copy(template()) as database:
        database.save(MIGRATED)
        yield database


def keep(kind: Engine, mark: str, start: Path | None, step: Callable[[], None]) -> Path:
    """Return the kept database called ``mark``, made from ``start`` by ``step`` if it is missing.

    A second process waits for the first.
    """
    kept = CACHE / f"{kind.name}-{mark}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{kind.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="making-") as folder:
                made = Path(folder) / "made"
                with kind.copy(start) as database:
                    step()
                    database.keep(made)
                made.rename(kept)  # complete or not at all
            remove_oldest(kind)
        os.utime(kept)
    return kept


def remove_oldest(kind: Engine) -> None:
    """Remove all databases but the few that were used last."""
    for old in sorted(CACHE.glob(f"{kind.name}-*"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()


def migrate_only(keys: set[tuple[str, str]]) -> None:
    """Apply the migrations ``keys``, which depend on no others."""
    executor = MigrationExecutor(connection)
    everything = executor.migration_plan(executor.loader.graph.leaf_nodes())
    executor.migrate(None, [step for step in everything if (step[0].app_label, step[0].name) in keys])


def migrate_all() -> None:
    """Apply the remaining migrations and create the permissions of the apps."""
    call_command("migrate", verbosity=0, interactive=False)


def is_foreign(loader: MigrationLoader, key: tuple[str, str]) -> bool:
    """Return whether this migration and all that it depends on are files of other packages."""
    return not any(
        source(loader.graph.nodes[needed]).is_relative_to(ROOT)
        and not source(loader.graph.nodes[needed]).is_relative_to(sys.prefix)
        for needed in loader.graph.forwards_plan(key)
    )


def digest(loader: MigrationLoader, keys: set[tuple[str, str]]) -> str:
    """Return a name for these migrations: a digest of their files, of the triggers and of Django's version."""
    total = hashlib.sha256(repr(django.VERSION).encode() + Path(append_only.__file__).read_bytes())
    for key in sorted(keys):
        total.update(repr(key).encode() + source(loader.graph.nodes[key]).read_bytes())
    return total.hexdigest()[:16]


def source(migration: Migration) -> Path:
    """Return the file of ``migration``."""
    return Path(str(sys.modules[type(migration).__module__].__file__))


def point_at(**settings: str) -> None:
    """Close all connections and let each thread's next one use ``settings``."""
    connections.close_all()
    connection.settings_dict.update(settings)
