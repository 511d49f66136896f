"""Index the search texts of purchases and members on PostgreSQL.

The migration is not atomic: ``CREATE INDEX CONCURRENTLY`` locks no table for long. A run that was interrupted can be
repeated.
"""

from django.db import migrations

from loyalink_khalti.search import lexemes

TABLES = {
    "loyalink_khalti_purchase": "loyalink_purchase_search",
    "loyalink_khalti_account": "loyalink_account_search",
}


def create_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table, name in TABLES.items():
            # An interrupted run leaves an invalid index behind.
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
            schema_editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {table} USING gin ({lexemes('search_text')})")


def drop_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in TABLES.values():
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("loyalink_khalti", "0002_entries_append_only")]

    operations = [migrations.RunPython(create_indexes, drop_indexes)]
