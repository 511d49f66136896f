"""Refuse every UPDATE and DELETE of a ledger entry on PostgreSQL.

The trigger runs per row, so that TRUNCATE still works for tests. SQLite has no TRUNCATE: tests empty it with DELETE, and
the methods of the model are its only guard.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION loyalink_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger entries never change; write a correcting one' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER loyalink_entries_append_only BEFORE UPDATE OR DELETE ON loyalink_khalti_entry
FOR EACH ROW EXECUTE FUNCTION loyalink_entries_append_only();
"""
ALLOW = """
DROP TRIGGER loyalink_entries_append_only ON loyalink_khalti_entry;
DROP FUNCTION loyalink_entries_append_only();
"""


def on_postgresql(sql):
    def run(_apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql, params=None)

    return run


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0001_initial")]

    operations = [migrations.RunPython(on_postgresql(REFUSE), on_postgresql(ALLOW))]
