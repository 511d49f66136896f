"""Wagtail's sidebar links to the shop's own back office, for staff, if a shop has one."""

from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalink_khalti.testing import FakeShop

SHOP = "/fake/orders/"


class ShopWithoutPage(FakeShop):
    """A shop without a back office of its own."""

    def staff_page(self, ref: str) -> str:
        return ""


class BrokenShop(FakeShop):
    """A shop whose back office fails."""

    message: ClassVar[str] = "no dashboard here"

    def staff_page(self, ref: str) -> str:
        raise LookupError(self.message)


@pytest.fixture
def shops(settings: Any) -> Any:
    """Configure shops by their dotted paths."""

    def configure(*paths: str) -> None:
        named = {f"shop {number}": path for number, path in enumerate(paths)}
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": named}

    return configure


def sidebar(browser: Client) -> str:
    answer = browser.get(reverse("wagtailadmin_home"))
    assert answer.status_code == 200
    return answer.content.decode()


FAKE, WITHOUT, BROKEN = "loyalink_khalti.testing.FakeShop", f"{__name__}.ShopWithoutPage", f"{__name__}.BrokenShop"


@pytest.mark.parametrize("paths", [[FAKE], [WITHOUT, FAKE]])
def test_the_link_leads_to_the_first_shop_with_a_back_office(browser: Client, shops: Any, paths: list[str]) -> None:
    shops(*paths)

    assert f'"url": "{SHOP}"' in sidebar(browser)


@pytest.mark.parametrize("paths", [[], [WITHOUT], [BROKEN], ["no.such.Shop"]])
def test_without_a_back_office_there_is_no_link(browser: Client, shops: Any, paths: list[str]) -> None:
    shops(*paths)

    assert "loyalink-khalti-shop" not in sidebar(browser)


def test_only_staff_see_the_link(browser: Client, editor: User, shops: Any) -> None:
    shops(FAKE)
    User.objects.update(is_staff=False)

    assert "loyalink-khalti-shop" not in sidebar(browser)
