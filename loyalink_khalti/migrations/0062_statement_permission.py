"""Let the group "Shop accountants" upload statements, decide their differences and settle days."""

from django.contrib.auth.management import create_permissions
from django.db import migrations


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    ours = apps.get_app_config("loyalink_khalti")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    granted = permission.filter(content_type__app_label="loyalink_khalti", codename="match_statement")
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name="Shop accountants"):
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti", "0061_statements"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]  # the permission goes with its model
