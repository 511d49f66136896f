"""Of the open Flags of a site that say the same and are not about money, keep the oldest, with their number."""

from django.db import migrations
from django.utils import timezone

REASONS = ("merchant_limit", "initiate_refused")


def count(apps, schema_editor):
    flags = apps.get_model("loyalink_khalti", "Flag").objects.using(schema_editor.connection.alias)
    rows = flags.filter(reason__in=REASONS, resolved_at=None, site_key="").select_related("payment__purchase")
    first, now = {}, timezone.now()
    for flag in rows.order_by("pk").iterator(chunk_size=500):
        site_key = flag.payment.purchase.site_key
        kept = first.setdefault((site_key, flag.reason), flag)
        if kept is flag:
            open_flag = flags.filter(site_key=site_key, reason=flag.reason, resolved_at=None).first()
            if open_flag is None:
                flags.filter(pk=flag.pk).update(site_key=site_key, last_at=flag.raised_at)
                continue
            first[site_key, flag.reason] = kept = open_flag
        kept.count += 1
        flags.filter(pk=kept.pk).update(count=kept.count, last_at=flag.raised_at)
        flags.filter(pk=flag.pk).update(resolved_at=now, resolution="counted")


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0017_flags_of_a_site")]

    # Nothing is done backwards: the counted Flags stay resolved.
    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
