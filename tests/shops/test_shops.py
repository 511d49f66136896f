"""Shops that are set up differently, each built from nothing: a purchase, a closed tab and a refund in each.

Each takes minutes, because its database is migrated from nothing, too. ``test_refused_shops`` has those that cannot
work.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .builder import BARE_URLS, ROOT, Day, Plan, Shop, a_day_in
from .test_forked_apps import VIEWS_PY, forked, inherit_from_ours

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

USERS = """
import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Manager(BaseUserManager):
    def create_user(self, email, password=None, **fields):
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email, password, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)
    objects = Manager()
    USERNAME_FIELD = "email"

    def get_full_name(self):
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self):
        return self.first_name

    def email_user(self, subject, message, from_email=None, **options):
        pass
"""
"""Without a user name, and with a key that is no number."""
ADMIN = """
from django.contrib import admin

from people.models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    search_fields = ("email",)
"""


PRODUCTION = (ROOT / "docs" / "production.md").read_text().partition("## Below a path")[2]
BELOW = re.findall(r"^```python\n(.*?)^```", PRODUCTION, re.MULTILINE | re.DOTALL)[0]


@dataclass
class Built:
    """A shop, and where its pages are."""

    shop: Shop
    day: Mapping[str, str] = field(default_factory=dict)


def forked_apps(folder: Path) -> Built:
    """H3: ``checkout`` and ``order`` are forked, and the checkout has views of its own."""
    shop, plan = forked(folder, "checkout", "order")
    shop.write(plan)
    inherit_from_ours(shop, "checkout")
    (shop.folder / "forks" / "checkout" / "views.py").write_text(VIEWS_PY)
    return Built(shop)


def below_a_path(folder: Path) -> Built:
    """H2: the shop is at https://…/pasal/."""
    shop = Shop(folder)
    shop.write(Plan(settings=BELOW))
    return Built(shop, {"mounted_at": "/pasal"})


def with_languages(folder: Path) -> Built:
    """H5: the pages of the shop are below ``/ne/``."""
    urls = BARE_URLS.replace(
        "import include, path", "import include, path\nfrom django.conf.urls.i18n import i18n_patterns"
    )
    urls = urls.replace('    path("shop/"', '    *i18n_patterns(path("shop/"').replace("urls[0])),\n", "urls[0]))),\n")
    settings = """
LANGUAGES = [("en", "English"), ("ne", "Nepali")]
common = MIDDLEWARE.index("django.middleware.common.CommonMiddleware")
MIDDLEWARE.insert(common, "django.middleware.locale.LocaleMiddleware")
"""
    shop = Shop(folder)
    shop.write(Plan(urls=urls, settings=settings))
    return Built(shop, {"pages_at": "/ne"})


def custom_user(folder: Path) -> Built:
    """Users have a UUID and no name to log in with but their e-mail address."""
    shop = Shop(folder)
    files = {"people/__init__.py": "", "people/models.py": USERS, "people/admin.py": ADMIN}
    files["people/migrations/__init__.py"] = ""
    shop.write(Plan(settings='AUTH_USER_MODEL = "people.User"\nINSTALLED_APPS.append("people")\n', files=files))
    shop.manage("makemigrations", "people", "--verbosity", "0")
    return Built(shop)


@pytest.fixture(scope="module", params=[forked_apps, below_a_path, with_languages, custom_user])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    build: Callable[[Path], Built] = request.param
    shop = build(tmp_path_factory.mktemp(build.__name__))
    shop.shop.fill()
    return shop


@pytest.fixture(scope="module")
def day(built: Built) -> Day:
    return a_day_in(built.shop, **built.day)


def test_the_checks_find_nothing(built: Built) -> None:
    built.shop.manage("check", "--database", "default", "--fail-level", "WARNING")
    built.shop.manage("makemigrations", "--check", "--dry-run")


def test_a_guest_pays_and_sees_the_order(built: Built, day: Day) -> None:
    """H3a"""
    prefix = built.day.get("mounted_at", "") + built.day.get("pages_at", "")

    assert day.thanks.url.endswith(f"{prefix}/shop/checkout/thank-you/"), day.thanks.visible_text
    paid_with = {payment["transaction_id"] for payment in day.audit["payments"]}
    assert any(transaction in day.thanks.visible_text for transaction in paid_with), day.thanks.visible_text


def test_a_payment_whose_tab_was_closed_is_found_by_one_pass_of_the_reconciler(day: Day) -> None:
    """H3a"""
    assert [order["status"] for order in day.before["orders"]] == ["Paid"]
    assert [order["status"] for order in day.reconciled["orders"]] == ["Paid", "Paid"]


def test_the_member_who_closed_the_tab_has_points_for_the_order(day: Day) -> None:
    assert day.before["accounts"] == []
    (account,) = day.reconciled["accounts"]
    assert account["member"] == "gita@example.com"
    assert account["lifetime_earned"] > 0
    assert day.member.status == 200
    assert "gita@example.com" in day.member.visible_text


def test_a_part_is_refunded_at_khalti_and_the_books_agree(day: Day) -> None:
    """H3a"""
    assert sorted(order["refunded"] for order in day.audit["orders"]) == [0, 10_000]
    assert [payment["refunded"] for payment in day.audit["payments"]].count(10_000) == 1
    assert day.audit["violations"] == []
