"""A shop grants the permissions to groups, in Wagtail."""

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from loyalink_khalti.staff import permissions
from tests.backoffice.staff import Desk, staff_user

pytestmark = pytest.mark.django_db

INVOICES = (
    permissions.VIEW_INVOICES,
    permissions.ISSUE_INVOICES,
    permissions.EXPORT_INVOICES,
    permissions.INVOICE_SETTINGS,
)
SETTINGS = (permissions.KHALTI_SETTINGS, permissions.LOYALTY_SETTINGS, permissions.SHOP_DETAILS)


@pytest.mark.parametrize("name", [*permissions.ALL, *SETTINGS, permissions.INVOICE_SETTINGS])
def test_every_permission_that_a_page_checks_exists(name: str) -> None:
    app, _dot, codename = name.partition(".")

    assert Permission.objects.filter(content_type__app_label=app, codename=codename).count() == 1


def test_the_permissions_are_offered_for_groups() -> None:
    desk = Desk(staff_user("hari", is_superuser=True))
    page = BeautifulSoup(desk.client.get(reverse("wagtailusers_groups:add")).content, "html.parser")

    offered = {field["value"] for field in page.select("input[name=permissions]")}

    ours = Permission.objects.filter(
        content_type__app_label="loyalink_khalti", codename__in=[name.partition(".")[2] for name in permissions.ALL]
    )
    assert {str(permission.pk) for permission in ours} <= offered


@pytest.mark.parametrize(
    ("group", "missing"),
    [
        (
            permissions.EDITORS,
            {
                permissions.REFUND_BEYOND_LIMIT,
                permissions.APPROVE_REFUNDS,
                permissions.ADJUST_BEYOND_LIMIT,
                permissions.COUNTER_BEYOND_LIMIT,
                permissions.ERASE_MEMBERS,
                permissions.MATCH_STATEMENTS,
                *INVOICES,
            },
        ),
        (
            permissions.ACCOUNTANTS,
            {
                permissions.CHANGE_MEMBERS,
                permissions.ERASE_MEMBERS,
                *SETTINGS,
            },
        ),
    ],
)
def test_the_default_groups_have_all_permissions_but_a_few(group: str, missing: set[str]) -> None:
    rows = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")

    granted = {f"{app}.{codename}" for app, codename in rows}

    assert {*permissions.ALL, *SETTINGS, *INVOICES} - granted == missing | {
        permissions.KHALTI_KEY,
        permissions.RECORD_OUTCOME,
    }
    assert "wagtailadmin.access_admin" in granted
