"""Write "never" as null, and "at once" as a time: until now null was "at once", and "never" was the year 9999.

In parts, so that no checkout waits for rows of others. Processes of the version before may run beside it: they read
null as "at once", and look at most at a few payments too many. What they write is put right by
``polling.schedule_unscheduled``. Killed halfway, it is completed by the next run, after which some finished payments may
be polled once more.
"""

from datetime import UTC, datetime

from django.db import migrations
from django.db.models import Case, F, Max, Q, Value, When

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
PART = 2000
"""How many primary keys one statement looks at."""


def parts(payments):
    """Yield the payments in ranges of their primary keys."""
    last = payments.aggregate(last=Max("pk"))["last"] or 0
    for first in range(0, last + 1, PART):
        yield payments.filter(pk__gte=first, pk__lt=first + PART)


def never_is_null(apps, schema_editor):
    payments = apps.get_model("loyalink_khalti", "Payment").objects.using(schema_editor.connection.alias)
    for part in parts(payments):
        part.filter(Q(next_poll_at=None) | Q(next_poll_at__gte=NEVER)).update(
            next_poll_at=Case(When(next_poll_at=None, then=F("created_at")), default=Value(None))
        )


def never_is_a_year(apps, schema_editor):
    payments = apps.get_model("loyalink_khalti", "Payment").objects.using(schema_editor.connection.alias)
    for part in parts(payments):
        part.filter(next_poll_at=None).update(next_poll_at=NEVER)


class Migration(migrations.Migration):
    atomic = False  # each part is committed

    dependencies = [("loyalink_khalti", "0028_unmatched_payments")]

    operations = [migrations.RunPython(never_is_null, never_is_a_year)]
