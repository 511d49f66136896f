"""The steps of README, read from README itself, make a bare Oscar and Wagtail project sell with Khalti."""

import subprocess
import sys
import zipfile

import pytest

from tests.shops.builder import ROOT, Plan, Shop

A_DAY_IN_THE_SHOP = """
import os
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import django
from bs4 import BeautifulSoup

import loyalink_khalti
from loyalink_khalti.simulator import Simulator

django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

print("package:", loyalink_khalti.__file__)
get_model("address", "Country").objects.create(
    iso_3166_1_a2="NP", printable_name="Nepal", name="Nepal", is_shipping_country=True
)
books = get_model("catalogue", "ProductClass").objects.create(name="Books")
novel = get_model("catalogue", "Product").objects.create(title="Palpasa Cafe", product_class=books)
house = get_model("partner", "Partner").objects.create(name="House")
get_model("partner", "StockRecord").objects.create(
    product=novel, partner=house, partner_sku="P-1", price=Decimal("450.00"), num_in_stock=5
)


def words(page):
    return " ".join(BeautifulSoup(page.content, "html.parser").text.split())


guest = Client()
print("catalogue:", words(guest.get(reverse("catalogue:index"))))
guest.post(reverse("basket:add", args=[novel.pk]), {"quantity": 1})
guest.post(reverse("checkout:index"), {"username": "sita@example.com", "options": "anonymous"})
address = {"first_name": "Sita", "last_name": "Rai", "line1": "Asan 5", "line4": "Kathmandu", "postcode": "44600"}
guest.post(reverse("checkout:shipping-address"), {**address, "country": "NP"}, follow=True)
print("payment:", words(guest.get(reverse("checkout:payment-method"))))
with Simulator() as khalti:
    os.environ["KHALTI_BASE_URL"] = khalti.base_url
    preview = guest.post(reverse("checkout:payment-method"), {"payment_method": "khalti"}, follow=True)
    print("preview:", words(preview))
    form = BeautifulSoup(preview.content, "html.parser").find(id="place_order_form")
    placed = guest.post(form["action"], {each["name"]: each.get("value", "") for each in form.find_all("input")})
    (pidx,) = parse_qs(urlsplit(placed["Location"]).query)["pidx"]
    print("meanwhile:", words(guest.get(reverse("catalogue:index"))))
    khalti.pay(pidx)
    back = urlsplit(khalti.return_urls(pidx)[0])
    print("thanks:", words(guest.get(f"{back.path}?{back.query}", follow=True)))
print("orders:", [order.status for order in get_model("order", "Order").objects.all()])

staff = Client()
staff.force_login(
    get_user_model().objects.create_superuser("admin", "admin@example.com", "secret"),
    "django.contrib.auth.backends.ModelBackend",
)
print("wagtail:", staff.get(reverse("wagtailadmin_home")).status_code)
edit = reverse("wagtailsettings:edit", args=["loyalink_khalti", "khaltisettings"])
print("editors:", words(staff.get(edit, follow=True)))
print("dashboard:", words(staff.get(reverse("dashboard:order-list"))))
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A bare project with README's settings, with the wheel in place of the source."""
    folder = tmp_path_factory.mktemp("bare")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT], check=True)
    (built,) = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "wheel")
    shop = Shop(folder, package=folder / "wheel")
    shop.write(Plan(files={"day.py": A_DAY_IN_THE_SHOP}))
    return shop


@pytest.fixture(scope="module")
def day(shop):
    """The text of each page of a purchase, by the page's name."""
    shop.manage("migrate", "--verbosity", "0")
    return dict(line.split(": ", 1) for line in shop.run("day.py").splitlines() if ": " in line)


def test_the_checks_pass_and_no_migration_is_missing(shop, day):
    shop.manage("check", "--database", "default", "--fail-level", "WARNING")
    shop.manage("makemigrations", "--check", "--dry-run")


def test_the_wheel_is_what_runs(shop, day):
    assert day["package"].startswith(str(shop.folder.parent / "wheel"))


def test_the_catalogue_lists_products_in_rupees(day):
    assert "Palpasa Cafe" in day["catalogue"]
    assert "Rs 450.00" in day["catalogue"].replace("\xa0", " ")


def test_the_checkout_offers_khalti_and_nothing_else_unasked(day):
    """M20"""
    assert "Khalti Pay with your Khalti wallet" in day["payment"]
    assert "Cash on delivery" not in day["payment"]
    assert "Bank transfer" not in day["payment"]
    assert "You pay Rs 450.00 on Khalti's page" in day["preview"]


def test_a_pending_payment_shows_on_every_page(day):
    assert "Payment of Rs 450.00 pending" in day["meanwhile"]


def test_the_order_is_paid_and_the_audit_agrees(shop, day):
    assert "Paid: Rs 450.00 (Khalti)." in day["thanks"]
    assert day["orders"] == "['Paid']"
    assert "Everything agrees" in shop.manage("loyalink_audit")


def test_editors_find_the_settings_and_staff_the_order(day):
    assert day["wagtail"] == "200"
    assert "New secret key" in day["editors"]
    assert "Paid" in day["dashboard"]
