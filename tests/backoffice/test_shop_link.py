"""Wagtail's sidebar leads to the shop's own back office, for staff, as long as a shop tells where that is."""

from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalink_khalti.testing import FakeShop

SHOP = "/fake/orders/"


class NowhereShop(FakeShop):
    """A shop without a back office of its own."""

    def page_for_staff(self, ref: str) -> str:
        return ""


class BrokenShop(FakeShop):
    """A shop that is not in order."""

    told: ClassVar[str] = "no dashboard here"

    def page_for_staff(self, ref: str) -> str:
        raise LookupError(self.told)


@pytest.fixture
def shops(settings: Any) -> Any:
    """Say which shops there are, by their dotted paths."""

    def are(*paths: str) -> None:
        named = {f"shop {number}": path for number, path in enumerate(paths)}
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": named}

    return are


def sidebar(browser: Client) -> str:
    answer = browser.get(reverse("wagtailadmin_home"))
    assert answer.status_code == 200
    return answer.content.decode()


FAKE, NOWHERE, BROKEN = "loyalink_khalti.testing.FakeShop", f"{__name__}.NowhereShop", f"{__name__}.BrokenShop"


@pytest.mark.parametrize("there", [[FAKE], [NOWHERE, FAKE]])
def test_staff_are_led_to_the_first_shop_that_has_a_page_for_them(
    browser: Client, shops: Any, there: list[str]
) -> None:
    shops(*there)

    assert f'"url": "{SHOP}"' in sidebar(browser)


@pytest.mark.parametrize("there", [[], [NOWHERE], [BROKEN], ["no.such.Shop"]])
def test_without_such_a_page_the_admin_stands_without_the_link(browser: Client, shops: Any, there: list[str]) -> None:
    shops(*there)

    assert "loyalink-khalti-shop" not in sidebar(browser)


def test_who_is_not_staff_has_no_way_there(browser: Client, editor: User, shops: Any) -> None:
    shops(FAKE)
    User.objects.update(is_staff=False)

    assert "loyalink-khalti-shop" not in sidebar(browser)
