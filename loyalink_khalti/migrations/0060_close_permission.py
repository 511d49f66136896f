"""Let editors and accountants count the cash at the end of a day."""

from django.contrib.auth.management import create_permissions
from django.db import migrations


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    ours = apps.get_app_config("loyalink_khalti")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    granted = permission.filter(content_type__app_label="loyalink_khalti", codename="close_day")
    groups = apps.get_model("auth", "Group").objects.using(using)
    for group in groups.filter(name__in=["Shop editors", "Shop accountants"]):
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti", "0059_daily_closes"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]  # the permission goes with its model
