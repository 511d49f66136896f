"""Give each site the key under which its payments and points are stored now: ``default``, or its host name.

Nothing is stored anew. Two sites that had the same name keep what they share. Names of which there are payments or
points and no site are kept as those of deleted sites, so that no new site gets them.
"""

from django.db import migrations


def add_keys(apps, schema_editor):
    using = schema_editor.connection.alias
    SiteKey, Site = apps.get_model("loyalink_khalti", "SiteKey"), apps.get_model("wagtailcore", "Site")
    sites = Site.objects.using(using).order_by("-is_default_site", "pk")
    rows = [
        SiteKey(key="default" if site.is_default_site else site.hostname, site_pk=site.pk, name=site.hostname)
        for site in sites
    ]
    stored = {
        key
        for name in ("Program", "Purchase", "Credentials", "Campaign")
        for key in apps.get_model("loyalink_khalti", name).objects.using(using).order_by()
        .values_list("site_key", flat=True).distinct()
    }
    rows += [SiteKey(key=key, name=key) for key in sorted(stored - {row.key for row in rows})]
    SiteKey.objects.using(using).bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0014_site_keys")]

    # Backwards the table is deleted.
    operations = [migrations.RunPython(add_keys, migrations.RunPython.noop)]
