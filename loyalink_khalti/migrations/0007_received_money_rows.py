"""Write a row for all cash and transfers that were marked as received before, and permit the default groups to record.

Until now every member of staff could mark an order as paid; now it takes ``record_received``. A shop that has groups of
its own grants it there.
"""

from zoneinfo import ZoneInfo

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.models import F

KATHMANDU = ZoneInfo("Asia/Kathmandu")
CHUNK = 500
GROUPS = ("Shop editors", "Shop accountants")


def write_rows(apps, schema_editor):
    using = schema_editor.connection.alias
    Purchase = apps.get_model("loyalink_khalti", "Purchase")
    ReceivedMoney = apps.get_model("loyalink_khalti", "ReceivedMoney")
    received = Purchase.objects.using(using).filter(received_at__isnull=False, amount_due__gt=0, received_money=None)
    rows = (
        ReceivedMoney(
            purchase_id=pk,
            amount=amount,
            received_on=at.astimezone(KATHMANDU).date(),
            key=f"received:{pk}",
            actor=actor,
            recorded_at=at,
        )
        for pk, amount, at, actor in received.order_by("pk")
        .values_list("pk", "amount_due", "received_at", "received_by")
        .iterator(chunk_size=CHUNK)
    )
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == CHUNK:
            ReceivedMoney.objects.using(using).bulk_create(batch)
            batch = []
    ReceivedMoney.objects.using(using).bulk_create(batch)
    Purchase.objects.using(using).filter(received_at__isnull=False).update(received_part=F("amount_due"))


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    ours = apps.get_app_config("loyalink_khalti")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    granted = permission.filter(content_type__app_label="loyalink_khalti", codename="record_received")
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=GROUPS):
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0006_received_money")]

    # Nothing is done backwards: the rows go with their table, and the permission with its model.
    operations = [
        migrations.RunPython(write_rows, migrations.RunPython.noop),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
