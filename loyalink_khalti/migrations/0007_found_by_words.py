"""Staff find purchases and members by words: an index of them on PostgreSQL, and the words of what is there already.

Members' words are written when somebody first looks for one, or by ``loyalty_run``.
"""

from django.db import migrations

from loyalink_khalti.finding import lexemes, words_of

TABLES = {"loyalink_khalti_purchase": "loyalink_purchase_words", "loyalink_khalti_account": "loyalink_account_words"}
CHUNK = 500


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table, name in TABLES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON {table} USING gin ({lexemes('words')})")


def no_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in TABLES.values():
            schema_editor.execute(f"DROP INDEX {name}")


def write_words(apps, schema_editor):
    """Chunk by chunk, each found by what is still empty, so that a run that was cut off goes on."""
    purchases = apps.get_model("loyalink_khalti", "Purchase").objects.using(schema_editor.connection.alias)
    last = 0
    while chunk := list(purchases.filter(words="", pk__gt=last).order_by("pk")[:CHUNK]):
        for purchase in chunk:
            customer = purchase.cart["customer"]
            who = (customer["name"], customer["email"], customer["phone"])
            purchase.words = words_of((purchase.ref, purchase.number, *who))
        purchases.bulk_update(chunk, ["words"])
        last = chunk[-1].pk


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0006_the_editors_desk")]

    operations = [
        migrations.RunPython(write_words, migrations.RunPython.noop),
        migrations.RunPython(index, no_index),
    ]
