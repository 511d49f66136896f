"""Let the group "Shop accountants" see, issue and export invoices, and set how they are issued."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

CODENAMES = ("view_invoice", "issue_invoice", "export_invoice", "change_invoicesettings")


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    ours = apps.get_app_config("loyalink_khalti")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    granted = permission.filter(content_type__app_label="loyalink_khalti", codename__in=CODENAMES)
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name="Shop accountants"):
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti", "0050_invoices"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]  # the permissions go with their models
