"""What staff may do is given to them in Wagtail, group by group."""

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from loyalink_khalti.staff import may
from tests.backoffice.payments.conftest import Desk
from tests.backoffice.staff import worker

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", [*may.ALL, may.KHALTI_SETTINGS, may.LOYALTY_SETTINGS])
def test_every_permission_that_a_page_asks_for_exists(name: str) -> None:
    app, _dot, codename = name.partition(".")

    assert Permission.objects.filter(content_type__app_label=app, codename=codename).count() == 1


def test_a_shop_gives_them_to_groups_of_its_own() -> None:
    desk = Desk(worker("hari", is_superuser=True))
    page = BeautifulSoup(desk.client.get(reverse("wagtailusers_groups:add")).content, "html.parser")

    offered = {field["value"] for field in page.select("input[name=permissions]")}

    ours = Permission.objects.filter(
        content_type__app_label="loyalink_khalti", codename__in=[name.partition(".")[2] for name in may.ALL]
    )
    assert {str(permission.pk) for permission in ours} <= offered


@pytest.mark.parametrize(
    ("group", "lacks"),
    [
        (may.EDITORS, {may.REFUND_BEYOND_LIMIT, may.ADJUST_BEYOND_LIMIT, may.ERASE_MEMBERS}),
        (may.ACCOUNTANTS, {may.CHANGE_MEMBERS, may.ERASE_MEMBERS, may.KHALTI_SETTINGS, may.LOYALTY_SETTINGS}),
    ],
)
def test_the_groups_to_begin_with_have_all_but_a_few(group: str, lacks: set[str]) -> None:
    permissions = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")

    has = {f"{app}.{codename}" for app, codename in permissions}

    assert {*may.ALL, may.KHALTI_SETTINGS, may.LOYALTY_SETTINGS} - has == lacks
    assert "wagtailadmin.access_admin" in has
