"""Shops that cannot work, each built from nothing: a clear refusal, and what it names makes them start."""

import re
from pathlib import Path

import pytest

from .builder import OSCAR_URLS, WAGTAIL, Plan, Shop

pytestmark = pytest.mark.slow

URLS = """
from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    {added}
    path("", include(apps.get_app_config("oscar").urls[0])),
]
"""
WITHOUT = dict.fromkeys([*WAGTAIL, "wagtail.contrib.settings"], "")
PLAIN = """
MIDDLEWARE.remove("wagtail.contrib.redirects.middleware.RedirectMiddleware")
del WAGTAIL_SITE_NAME, WAGTAILADMIN_BASE_URL
"""


@pytest.mark.timeout(240)
def test_without_wagtail_every_command_names_what_is_missing_and_with_that_the_shop_starts(tmp_path: Path) -> None:
    """H4"""
    shop = Shop(tmp_path)
    shop.write(Plan(apps=WITHOUT, settings=PLAIN, urls=OSCAR_URLS))

    refusals = {command: shop.attempt(command).stderr for command in ("check", "migrate")}

    for command, refusal in refusals.items():
        error = refusal[refusal.rindex("django.core.exceptions") :]
        assert "ImproperlyConfigured: loyalink_khalti needs Wagtail with its admin." in error, f"{command}: {refusal}"
    named = re.findall(r'^    "([\w.]+)",$', refusals["check"], re.MULTILINE)
    (url,) = re.findall(r"^    (path\(.*\),)$", refusals["check"], re.MULTILINE)
    settings = "\n".join(re.findall(r"^    (WAGTAIL\w+ = .*)$", refusals["check"], re.MULTILINE))
    more = f"{PLAIN}INSTALLED_APPS += {named!r}\n{settings}\n"
    shop.write(Plan(apps=WITHOUT, settings=more, urls=URLS.replace("{added}", url)))
    shop.manage("check", "--fail-level", "WARNING")
    assert "loyalink_khalti" in shop.manage("showmigrations", "--plan")


@pytest.mark.timeout(240)
def test_without_time_zones_the_check_says_what_to_set(tmp_path: Path) -> None:
    """H1"""
    shop = Shop(tmp_path)
    shop.write(Plan(settings="USE_TZ = False\n"))

    refusal = shop.attempt("check").stderr

    assert "(loyalink_khalti.E054) USE_TZ is off" in refusal
    (hint,) = re.findall(r"HINT: (USE_TZ = True, .*)", refusal)
    shop.write(Plan(settings="\n".join(hint.rstrip(".").split(", "))))
    shop.manage("check")
