"""On PostgreSQL, refuse every UPDATE and DELETE of a ledger entry, whoever asks.

Per row, so that the TRUNCATE with which tests empty a database still works. SQLite has no TRUNCATE, and tests empty it
by DELETE; there the guards of the model must do.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION loyalink_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger entries never change; write a correcting one' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER loyalink_entries_stay BEFORE UPDATE OR DELETE ON loyalink_khalti_entry
FOR EACH ROW EXECUTE FUNCTION loyalink_entries_stay();
"""
ALLOW = """
DROP TRIGGER loyalink_entries_stay ON loyalink_khalti_entry;
DROP FUNCTION loyalink_entries_stay();
"""


def on_postgresql(sql):
    def run(_apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql, params=None)

    return run


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0001_initial")]

    operations = [migrations.RunPython(on_postgresql(REFUSE), on_postgresql(ALLOW))]
