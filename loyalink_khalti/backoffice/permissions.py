"""The permissions of the desk, where Wagtail lets a shop give them to its own groups: Settings › Groups."""

from django.contrib.auth.models import Permission
from django.db.models import QuerySet

from loyalink_khalti.staff import may


def permissions() -> "QuerySet[Permission]":
    """Each of them is one deed, or one kind of page."""
    codenames = [name.partition(".")[2] for name in may.ALL]
    return Permission.objects.filter(content_type__app_label="loyalink_khalti", codename__in=codenames)
