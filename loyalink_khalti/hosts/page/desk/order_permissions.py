"""The permissions of orders and stock; a migration gives them to the default groups.

Refunds and received money have the permissions that every shop has: ``staff.permissions``.
"""

from django.contrib.auth.models import Permission
from django.db.models import QuerySet

_APP = "loyalink_khalti_page"

VIEW_ORDERS = f"{_APP}.view_order"
EXPORT_ORDERS = f"{_APP}.export_order"
CHANGE_ORDERS = f"{_APP}.change_order"
"""Change the status, write notes, send mails again."""
VIEW_STOCK = f"{_APP}.view_stock"
CHANGE_STOCK = f"{_APP}.change_stock"

ALL = (VIEW_ORDERS, EXPORT_ORDERS, CHANGE_ORDERS, VIEW_STOCK, CHANGE_STOCK)


def assignable_permissions() -> "QuerySet[Permission]":
    """Return the permissions that Wagtail offers in Settings › Groups."""
    codenames = [name.partition(".")[2] for name in ALL]
    return Permission.objects.filter(content_type__app_label=_APP, codename__in=codenames)
