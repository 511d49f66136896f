"""Whatever a shop has forked, it starts, and its products are in Wagtail if they can be there."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sampled

ROOT = Path(__file__).parents[3]
START = """
import os, sys

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings

replacements = dict(each.split("=") for each in sys.argv[1:])
settings.INSTALLED_APPS = [app for each in settings.INSTALLED_APPS if (app := replacements.get(each, each))]
import django

django.setup()
from django.urls import NoReverseMatch, reverse

try:
    print("chooser:", reverse("loyalink_khalti_products:choose"))
except NoReverseMatch:
    print("chooser: missing")
print("menu:", "Content and points" in [str(each["label"]) for each in settings.OSCAR_DASHBOARD_NAVIGATION])
"""
CHECKOUT = "sandbox.shop.checkout.CheckoutConfig=oscar.apps.checkout.apps.CheckoutConfig"
ORDERS = (
    "loyalink_khalti.hosts.oscar.apps.OrdersDashboardConfig=oscar.apps.dashboard.orders.apps.OrdersDashboardConfig"
)
MENUS = """
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings

settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "wagtail.contrib.settings"]
import django

django.setup()
from django.urls import reverse
from wagtail import hooks

reverse("wagtailadmin_home")
for menu in ("admin", "loyalink_khalti_loyalty", "reports", "settings"):
    for item in hooks.get_hooks(f"register_{menu}_menu_item"):
        print(item().label)
"""
FORKED = "django.contrib.humanize=tests.hosts.oscar.forked"
PRESENT, MISSING = "chooser: /admin/shop/products/", "chooser: missing"


@pytest.mark.parametrize(
    ("replacements", "output"),
    [
        pytest.param([], [PRESENT, "menu: True"], id="stock Oscar"),
        pytest.param([CHECKOUT], [PRESENT, "menu: True"], id="a forked checkout"),
        pytest.param([CHECKOUT, ORDERS], [MISSING, "menu: False"], id="both forked"),
        pytest.param([CHECKOUT, ORDERS, FORKED], [PRESENT, "menu: True"], id="both forked, and the one line"),
    ],
)
def test_a_shop_starts_with_its_products_in_wagtail_if_they_can_be_there(
    replacements: list[str], output: list[str]
) -> None:
    done = subprocess.run([sys.executable, "-c", START, *replacements], cwd=ROOT, capture_output=True, text=True)

    assert (done.stdout.splitlines(), done.returncode) == (output, 0), done.stderr


def test_without_wagtails_settings_app_every_menu_works_and_omits_our_settings() -> None:
    done = subprocess.run([sys.executable, "-c", MENUS], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert {"Loyalty", "Members", "Campaigns"} <= set(done.stdout.splitlines())
    assert "Loyalty settings" not in done.stdout.splitlines()
