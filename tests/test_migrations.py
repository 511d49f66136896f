"""Migrations match the models, can be reversed, and have names."""

import re

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

OURS = ("loyalink_khalti", "sandbox")


def ours():
    """Return our migrations, by app label and name."""
    loader = MigrationLoader(None)
    return [
        loader.disk_migrations[key]
        for key in sorted(loader.disk_migrations)
        if type(loader.disk_migrations[key]).__module__.startswith(OURS)
    ]


@pytest.mark.django_db
def test_the_models_have_no_change_without_a_migration():
    labels = [config.label for config in apps.get_app_configs() if config.name.startswith(OURS)]

    call_command("makemigrations", *labels, "--check", "--dry-run", verbosity=3)


def test_every_migration_can_be_reversed():
    irreversible = [
        f"{migration}: {operation.describe()}"
        for migration in ours()
        for operation in migration.operations
        if not operation.reversible
    ]
    assert not irreversible


def test_every_migration_has_a_name_of_its_own():
    assert [str(migration) for migration in ours() if re.search(r"auto_|_and_more$", migration.name)] == []


def test_no_migration_changes_both_schema_and_data():
    data = ("RunPython", "RunSQL")
    mixed = [
        str(migration)
        for migration in ours()
        if len({type(operation).__name__ in data for operation in migration.operations}) > 1
    ]
    assert not mixed


OLDEST_WAGTAIL = {"wagtailcore": "0097_baselogentry_uuid_action_timestamp_indexes", "wagtailadmin": "0006_formstate"}
"""The last migrations of Wagtail 7.4, the oldest supported version."""


def test_the_migrations_depend_only_on_those_of_the_oldest_wagtail():
    """Django writes the newest installed migration of Wagtail into a new one of ours."""
    newer = [
        f"{migration} needs {app}.{name}"
        for migration in ours()
        for app, name in migration.dependencies
        if app in OLDEST_WAGTAIL and name != "__first__" and name > OLDEST_WAGTAIL[app]
    ]
    assert not newer
