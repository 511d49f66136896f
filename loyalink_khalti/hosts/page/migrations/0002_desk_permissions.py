"""Give the groups "Shop editors" and "Shop accountants" the permissions of orders and stock.

A group that the shop has deleted or renamed is not made again.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations

_ORDERS = ("view_order", "export_order", "change_order", "view_stock")
_CATEGORIES = ("add_category", "change_category", "delete_category")
GROUPS = {
    "Shop editors": (*_ORDERS, "change_stock", "change_pageshopsettings", *_CATEGORIES),
    "Shop accountants": _ORDERS,
}


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    # Django creates permissions after all migrations have run, too late for this one.
    ours = apps.get_app_config("loyalink_khalti_page")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    named = apps.get_model("auth", "Permission").objects.using(using).filter(content_type__app_label=ours.label)
    for name, codenames in GROUPS.items():
        group = apps.get_model("auth", "Group").objects.using(using).filter(name=name).first()
        if group is not None:
            group.permissions.add(*named.filter(codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti_page", "0001_initial"),
        ("loyalink_khalti", "0004_default_groups"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        # Nothing is done backwards: a shop may have granted more.
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
