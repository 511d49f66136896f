"""Create the groups "Shop editors" and "Shop accountants". The shop may change them later."""

from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations

EDITORS = (
    "view_payment", "export_payment", "change_refund", "change_flag", "view_account", "change_account",
    "adjust_account", "export_account", "view_entry", "change_khaltisettings", "change_loyaltysettings",
)
ACCOUNTANTS = (
    "view_payment", "export_payment", "change_refund", "refund_beyond_limit", "change_flag", "view_account",
    "adjust_account", "adjust_beyond_limit", "export_account", "view_entry",
)
GROUPS = {"Shop editors": EDITORS, "Shop accountants": ACCOUNTANTS}


def create_groups(apps, schema_editor):
    using = schema_editor.connection.alias
    # Django creates permissions after all migrations have run, too late for these groups.
    ours = apps.get_app_config("loyalink_khalti")
    ours.models_module = True
    create_permissions(ours, using=using, verbosity=0, apps=apps)
    ours.models_module = None
    Permission = apps.get_model("auth", "Permission")
    admin = Permission.objects.using(using).filter(content_type__app_label="wagtailadmin", codename="access_admin")
    for name, codenames in GROUPS.items():
        group, is_new = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=name)
        if is_new:
            named = Permission.objects.using(using).filter(
                content_type__app_label="loyalink_khalti", codename__in=codenames
            )
            group.permissions.add(*named, *admin)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti", "0003_search_indexes"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("wagtailadmin", "0001_create_admin_access_permissions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # Nothing is done backwards: deleting a group would lose its users.
    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
