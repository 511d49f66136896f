"""Let both groups give and redeem points at the counter, and accountants beyond the limits."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

GROUPS = {
    "Shop editors": ("use_counter",),
    "Shop accountants": ("use_counter", "counter_beyond_limit"),
}


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    ours = apps.get_app_config("loyalink_khalti")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    for name, codenames in GROUPS.items():
        granted = permission.filter(content_type__app_label="loyalink_khalti", codename__in=codenames)
        for group in apps.get_model("auth", "Group").objects.using(using).filter(name=name):
            group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti", "0048_counter_sales"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]  # the permissions go with their model
