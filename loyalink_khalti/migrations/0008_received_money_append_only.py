"""Refuse every DELETE of a row of received money, and every UPDATE of more than its texts, on both databases.

The texts, reference and reason, may name a customer: they are emptied when personal data is erased. After ``migrate``
the triggers of ``append_only`` replace these, and may have done so before this is reversed.
"""

from django.db import migrations

TABLE = "loyalink_khalti_receivedmoney"
COLUMNS = "id, purchase_id, amount, received_on, reverses_id, key, actor, recorded_at"
MESSAGE = "received money never changes; write a row that reverses it"
POSTGRESQL = f"""
CREATE FUNCTION loyalink_received_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER loyalink_received_append_only BEFORE UPDATE OF {COLUMNS} OR DELETE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION loyalink_received_append_only();
"""
POSTGRESQL_BACK = f"""
DROP TRIGGER IF EXISTS loyalink_received_append_only ON {TABLE};
DROP FUNCTION loyalink_received_append_only();
"""
SQLITE = (
    f"CREATE TRIGGER loyalink_received_no_update BEFORE UPDATE OF {COLUMNS} ON {TABLE} "
    f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END",
    f"CREATE TRIGGER loyalink_received_no_delete BEFORE DELETE ON {TABLE} "
    f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END",
)
SQLITE_BACK = (
    "DROP TRIGGER IF EXISTS loyalink_received_no_update",
    "DROP TRIGGER IF EXISTS loyalink_received_no_delete",
)


def refuse(_apps, schema_editor):
    _execute(schema_editor, (POSTGRESQL,), SQLITE)


def allow(_apps, schema_editor):
    _execute(schema_editor, (POSTGRESQL_BACK,), SQLITE_BACK)


def _execute(schema_editor, postgresql, sqlite):
    statements = {"postgresql": postgresql, "sqlite": sqlite}.get(schema_editor.connection.vendor, ())
    for statement in statements:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0007_received_money_rows")]

    operations = [migrations.RunPython(refuse, allow)]
