"""Fill in what accounts that were merged before have redeemed, and when they ended.

An account ended with its last ``merge_out``; one without points has none, and its last activity is the closest that is
known. A merge of merges counts for every account above it.
"""

from django.db import migrations
from django.db.models import F, Max, Q


def fill_in(apps, schema_editor):
    Account = apps.get_model("loyalink_khalti", "Account")
    accounts = Account.objects.using(schema_editor.connection.alias)
    merged = accounts.filter(successor__isnull=False)
    ended = Max("entries__at", filter=Q(entries__kind="merge_out"))
    for account in merged.annotate(ended=ended).order_by("pk").iterator(chunk_size=500):
        accounts.filter(pk=account.pk).update(merged_at=account.ended or account.last_activity_at)
        above = account.successor_id
        while account.lifetime_redeemed and above:
            accounts.filter(pk=above).update(
                merged_lifetime_redeemed=F("merged_lifetime_redeemed") + account.lifetime_redeemed
            )
            above = accounts.values_list("successor", flat=True).get(pk=above)


def empty(apps, schema_editor):
    accounts = apps.get_model("loyalink_khalti", "Account").objects.using(schema_editor.connection.alias)
    accounts.exclude(merged_lifetime_redeemed=0).update(merged_lifetime_redeemed=0)


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0025_merged_and_erased_accounts")]

    operations = [migrations.RunPython(fill_in, empty)]
