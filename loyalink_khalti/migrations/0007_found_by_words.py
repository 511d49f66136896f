"""Staff find purchases and members by words: an index of them on PostgreSQL, and the words of what is there already.

Not one transaction: nothing is locked for long, and a run that was cut off goes on with what is still empty. Members'
words are written when somebody first looks for one, or by ``loyalty_run``.
"""

from django.db import migrations, transaction

from loyalink_khalti.finding import lexemes, words_of

TABLES = {"loyalink_khalti_purchase": "loyalink_purchase_words", "loyalink_khalti_account": "loyalink_account_words"}
CHUNK = 500


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table, name in TABLES.items():
            # One that was cut off is there and not valid.
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
            schema_editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {table} USING gin ({lexemes('words')})")


def no_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in TABLES.values():
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


def write_words(apps, schema_editor):
    alias = schema_editor.connection.alias
    purchases = apps.get_model("loyalink_khalti", "Purchase").objects.using(alias)
    last = 0
    while pks := list(purchases.filter(words="", pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        with transaction.atomic(using=alias):
            chunk = list(purchases.select_for_update().filter(pk__in=pks))
            for purchase in chunk:
                customer = purchase.cart["customer"]
                who = (customer["name"], customer["email"], customer["phone"])
                purchase.words = words_of((purchase.ref, purchase.number, *who))
            purchases.bulk_update(chunk, ["words"])
        last = pks[-1]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("loyalink_khalti", "0006_the_editors_desk")]

    operations = [
        migrations.RunPython(write_words, migrations.RunPython.noop),
        migrations.RunPython(index, no_index),
    ]
