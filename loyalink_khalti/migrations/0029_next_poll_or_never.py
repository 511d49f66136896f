"""Write "never" as null, and "at once" as a time: until now null was "at once", and "never" was the year 9999.

One statement, which locks only rows that no process is changing. Processes of the version before may run beside it:
they read null as "at once", and look at most at a few payments too many. What they write is put right by
``polling.schedule_unscheduled``.
"""

from datetime import UTC, datetime

from django.db import migrations
from django.db.models import Case, F, Q, Value, When

NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def never_is_null(apps, schema_editor):
    payments = apps.get_model("loyalink_khalti", "Payment").objects.using(schema_editor.connection.alias)
    payments.filter(Q(next_poll_at=None) | Q(next_poll_at__gte=NEVER)).update(
        next_poll_at=Case(When(next_poll_at=None, then=F("created_at")), default=Value(None))
    )


def never_is_a_year(apps, schema_editor):
    payments = apps.get_model("loyalink_khalti", "Payment").objects.using(schema_editor.connection.alias)
    payments.filter(next_poll_at=None).update(next_poll_at=NEVER)


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0028_unmatched_payments")]

    operations = [migrations.RunPython(never_is_null, never_is_a_year)]
