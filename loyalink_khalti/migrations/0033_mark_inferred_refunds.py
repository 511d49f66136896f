"""Mark the refunds whose result the version before inferred from lookup: it kept Khalti's status as the message."""

from typing import Any

from django.db import migrations
from django.db.models import F, Q

STATUSES = {"done": ("Refunded", "Partially Refunded"), "refused": ("Completed", "Partially Refunded")}


def mark(apps: Any, schema_editor: Any) -> None:
    refunds = apps.get_model("loyalink_khalti", "Refund").objects.using(schema_editor.connection.alias)
    for state, statuses in STATUSES.items():
        shown = Q()
        for status in statuses:
            shown |= Q(khalti_message__iexact=status)
        inferred = refunds.filter(shown, state=state, sent_at__isnull=False)
        if state == "done":  # a full one is no inference: all of the money has gone back
            inferred = inferred.exclude(amount=F("payment__captured"))
        refunds.filter(pk__in=list(inferred.values_list("pk", flat=True))).update(inferred=True)


class Migration(migrations.Migration):

    dependencies = [
        ('loyalink_khalti', '0032_inferred_refunds'),
    ]

    operations = [
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
