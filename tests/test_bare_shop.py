"""The steps of README, read from README itself, make a bare Oscar and Wagtail project sell with Khalti."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from oscar import INSTALLED_APPS as OSCAR  # Django's own among them

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS, URL = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
APPS, REST = re.fullmatch(r"INSTALLED_APPS = \[\n(.*?)^\]\n(.*)", SETTINGS, re.MULTILINE | re.DOTALL).groups()
OURS_FOR_THEIRS = {theirs: ours for ours, theirs in re.findall(r'"([\w.]+)", +# for ([\w.]+)', APPS)}
ON_TOP = re.findall(r'^ +"([\w.]+)"', APPS.partition("    ...,\n")[0], re.MULTILINE)
SQLITE = re.search(r'`"OPTIONS": (\{.*?\})`', README)[1]

WAGTAIL = [
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
]
"""What ``wagtail start`` installs."""

BARE_SETTINGS = """
from oscar.defaults import *
INSTALLED_APPS = {apps!r}
SITE_ID = 1
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
MEDIA_ROOT = BASE_DIR / "media"
MEDIA_URL = "/media/"
MIDDLEWARE += [
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "django.template.context_processors.i18n",
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
HAYSTACK_CONNECTIONS = {{"default": {{"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}}}
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
WAGTAIL_SITE_NAME = "Bazaar"
WAGTAILADMIN_BASE_URL = "http://127.0.0.1:8000"
DATABASES["default"]["ATOMIC_REQUESTS"] = True      # as Oscar recommends
"""

BARE_URLS = """
from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("admin/", include("wagtail.admin.urls")),
    path("documents/", include("wagtail.documents.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("shop/", include(apps.get_app_config("oscar").urls[0])),
    {url}
    path("", include("wagtail.urls")),
]
"""

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
    """Run ``manage.py`` of a bare project with README's settings, against the wheel."""
    folder = tmp_path_factory.mktemp("bare")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "KHALTI_"))}
    environment |= {
        "PYTHONPATH": f"{folder / 'wheel'}{os.pathsep}{folder / 'shop'}",
        "KHALTI_SECRET_KEY": "any-key-will-do-for-the-simulator",
        "LOYALINK_FERNET_KEYS": Fernet.generate_key().decode(),
    }

    def run(*command):
        done = subprocess.run(command, cwd=folder / "shop", env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        return done.stdout

    def manage(*words):
        return run(sys.executable, "manage.py", *words)

    (folder / "shop").mkdir()
    run(*pip, "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "wheel")
    run(sys.executable, "-m", "django", "startproject", "bazaar", ".")
    environment["DJANGO_SETTINGS_MODULE"] = "bazaar.settings"

    apps = [OURS_FOR_THEIRS.get(app, app) for app in [*WAGTAIL, *OSCAR, "sorl.thumbnail"]]
    settings = folder / "shop" / "bazaar" / "settings.py"
    with settings.open("a") as page:
        page.write(BARE_SETTINGS.format(apps=ON_TOP + apps))
        page.write(f'DATABASES["default"]["OPTIONS"] = {SQLITE}\n{REST}')
    (settings.parent / "urls.py").write_text(BARE_URLS.format(url=URL.strip()))
    (folder / "shop" / "day.py").write_text(A_DAY_IN_THE_SHOP)
    manage.day = lambda: run(sys.executable, "day.py")
    manage.folder = folder
    return manage


@pytest.fixture(scope="module")
def day(shop):
    """The text of each page of a purchase, by the page's name."""
    shop("migrate", "--verbosity", "0")
    return dict(line.split(": ", 1) for line in shop.day().splitlines() if ": " in line)


def test_the_checks_pass_and_no_migration_is_missing(shop, day):
    shop("check", "--database", "default", "--fail-level", "WARNING")
    shop("makemigrations", "--check", "--dry-run")


def test_the_wheel_is_what_runs(shop, day):
    assert day["package"].startswith(str(shop.folder / "wheel"))


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
    assert "Everything agrees" in shop("loyalink_audit")


def test_editors_find_the_settings_and_staff_the_order(day):
    assert day["wagtail"] == "200"
    assert "New secret key" in day["editors"]
    assert "Paid" in day["dashboard"]
