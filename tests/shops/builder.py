"""A shop built from nothing: ``startproject``, then the lines of Wagtail, of Oscar and of README, word for word."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from cryptography.fernet import Fernet
from oscar import INSTALLED_APPS as OSCAR  # Django's own among them

from loyalink_khalti.simulator import Simulator
from sandbox import children
from tests.stories.browser_session import PASSWORD, BrowserSession, Page
from tests.stories.running_store import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SETTINGS, URL = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
_APPS: Any = re.fullmatch(r"INSTALLED_APPS = \[\n(.*?)^\]\n(.*)", SETTINGS, re.MULTILINE | re.DOTALL)
APPS, REST = _APPS.groups()
OURS_FOR_THEIRS = {theirs: ours for ours, theirs in re.findall(r'"([\w.]+)", +# for ([\w.]+)', APPS)}
ON_TOP = re.findall(r'^ +"([\w.]+)"', APPS.partition("    ...,\n")[0], re.MULTILINE)
SQLITE: Any = re.search(r'`"OPTIONS": (\{.*?\})`', README)

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
LOGIN_REDIRECT_URL = "catalogue:index"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
WAGTAIL_SITE_NAME = "Bazaar"
WAGTAILADMIN_BASE_URL = "http://127.0.0.1:8000"
DATABASES["default"]["ATOMIC_REQUESTS"] = True      # as Oscar recommends
DATABASES["default"]["OPTIONS"] = {sqlite}
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

OSCAR_URLS = """
from django.apps import apps
from django.urls import include, path

urlpatterns = [path("", include(apps.get_app_config("oscar").urls[0]))]
"""
"""Those of a shop without Wagtail, which does not know this package."""

STOCK = f"""
from decimal import Decimal
from django.contrib.auth import get_user_model
from oscar.core.loading import get_model

get_model("address", "Country").objects.create(
    iso_3166_1_a2="NP", printable_name="Nepal", name="Nepal", is_shipping_country=True
)
books = get_model("catalogue", "ProductClass").objects.create(name="Books")
novel = get_model("catalogue", "Product").objects.create(title="Palpasa Cafe", product_class=books)
house = get_model("partner", "Partner").objects.create(name="House")
get_model("partner", "StockRecord").objects.create(
    product=novel, partner=house, partner_sku="P-1", price=Decimal("450.00"), num_in_stock=5
)
users = get_user_model()
names = {{"username": "admin"}} if users.USERNAME_FIELD == "username" else {{}}
users.objects.create_superuser(email="admin@example.com", password="{PASSWORD}", **names)
names = {{name: "gita" for name in names}}
users.objects.create_user(email="gita@example.com", password="{PASSWORD}", **names)
"""
"""A product, a country to send it to, a superuser and a customer with an account."""


@dataclass(kw_only=True)
class Plan:
    """How a shop differs from the bare one that README describes."""

    apps: Mapping[str, str] = field(default_factory=dict)
    """Lines of ``INSTALLED_APPS`` and what stands in their place, "" for none."""
    settings: str = ""
    """Lines at the end of ``settings.py``."""
    urls: str = BARE_URLS
    files: Mapping[str, str] = field(default_factory=dict)
    """Other files of the project, by their paths."""


class Shop:
    """A project in a folder, as its developer uses it: by its files and by ``manage.py``."""

    def __init__(self, folder: Path, *, package: Path = ROOT) -> None:
        self.folder = folder / "shop"
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "KHALTI_"))}
        self.environment = kept | {
            "PYTHONPATH": f"{package}{os.pathsep}{self.folder}",
            "DJANGO_SETTINGS_MODULE": "bazaar.settings",
            "KHALTI_SECRET_KEY": "any-key-will-do-for-the-simulator",
            "LOYALINK_FERNET_KEYS": Fernet.generate_key().decode(),
        }
        self.folder.mkdir()
        start = [sys.executable, "-m", "django", "startproject", "bazaar", "."]
        subprocess.run(start, cwd=self.folder, env=kept, check=True)
        self.started = (self.folder / "bazaar" / "settings.py").read_text()

    def write(self, plan: Plan) -> None:
        """Write the files of a plan in place of those of an earlier one."""
        lines = [*ON_TOP, *(OURS_FOR_THEIRS.get(app, app) for app in [*WAGTAIL, *OSCAR, "sorl.thumbnail"])]
        apps = [app for line in lines if (app := plan.apps.get(line, line))]
        ours = REST.replace("https://shop.example.com", f"http://127.0.0.1:{self.port}")
        self._write_settings(BARE_SETTINGS.format(apps=apps, sqlite=SQLITE[1]), ours, plan)

    def write_stock_oscar(self) -> None:
        """Write the files of a shop on stock Oscar, which knows neither Wagtail nor this package yet."""
        bare = BARE_SETTINGS.format(apps=[*OSCAR, "sorl.thumbnail"], sqlite=SQLITE[1])
        self._write_settings(bare.replace('    "wagtail.', '    # "wagtail.'), "", Plan(urls=OSCAR_URLS))

    def fork(self, *labels: str) -> None:
        """Fork apps of Oscar into the package ``forks``, with Oscar's own command."""
        calls = [f"call_command('oscar_fork_app', {label!r}, 'forks')" for label in labels]
        self.manage("shell", "-c", "\n".join(["from django.core.management import call_command", *calls]))

    def _write_settings(self, bare: str, ours: str, plan: Plan) -> None:
        text = f"{self.started}\n{bare}\n{ours}\n{plan.settings}"
        files = {"bazaar/settings.py": text, "bazaar/urls.py": plan.urls.format(url=URL.strip())} | dict(plan.files)
        for path, content in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(content)

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py`` and return what it says, whether it succeeds or not."""
        return self._attempt("manage.py", *words)

    def manage(self, *words: str) -> str:
        """Run ``manage.py``, which must succeed, and return its output."""
        return self.run("manage.py", *words)

    def run(self, *words: str) -> str:
        """Run a script of the project, which must succeed, and return its output."""
        done = self._attempt(*words)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)

    def fill(self) -> None:
        """Migrate the empty database, and put a product on sale."""
        self.manage("migrate", "--verbosity", "0")
        self.manage("shell", "-c", STOCK)

    @contextmanager
    def open_for_business(self, khalti: Simulator, *, mounted_at: str = "", pages_at: str = "") -> Iterator[str]:
        """Serve the shop, below the path ``mounted_at``, and yield the address of its pages, those at ``pages_at``."""
        self.environment |= {"KHALTI_BASE_URL": khalti.base_url, "SCRIPT_NAME": mounted_at}
        address = f"http://127.0.0.1:{self.port}{mounted_at}"
        command = ["gunicorn", "bazaar.wsgi", "--no-control-socket", "--bind", f"127.0.0.1:{self.port}"]
        with (self.folder / "server.log").open("ab") as log:
            options = ["--threads", "4", "--log-level", "warning"]
            server = children.start(
                [sys.executable, "-m", *command, *options],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            assert children.responds(f"{address}{pages_at}/shop/", server), self.log()
            yield f"{address}{pages_at}"
        finally:
            children.stop(server)

    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def audit(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.manage("loyalink_audit", "--json"))
        return report


@dataclass(kw_only=True)
class Day:
    """What a day in the shop has shown."""

    thanks: Page
    """The page to which the first guest returned."""
    before: dict[str, Any]
    """What the audit says while the payment of the member, who closed the tab, is not known yet."""
    reconciled: dict[str, Any]
    """What it says after a pass of ``khalti_reconcile``."""
    refund: Page
    """The dashboard's page of the first order, after the refund."""
    member: Page
    """The member's page in Wagtail's admin."""
    audit: dict[str, Any]
    """What the audit says in the end."""


def a_day_in(shop: Shop, *, mounted_at: str = "", pages_at: str = "") -> Day:
    """A guest buys and returns, a member pays and closes the tab, and staff refund a part of the first order."""
    with Simulator() as khalti, shop.open_for_business(khalti, mounted_at=mounted_at, pages_at=pages_at) as address:
        guest, member = BrowserSession(address), BrowserSession(address).log_in("gita@example.com")
        thanks = guest.pay(order(guest, "sita@example.com").url)
        member.pay(order(member).url, follow=False)
        before = shop.audit()
        shop.manage("khalti_reconcile")
        reconciled = shop.audit()
        number = reconciled["orders"][0]["number"]
        admin = BrowserSession(address).log_in("admin@example.com")
        page = admin.open(f"/shop/dashboard/orders/{number}/")
        preview = admin.submit(page, "seen_refund", refund="preview", amount="100")
        refund = admin.submit(preview, "key", refund="confirm")
        desk = BrowserSession(address.removesuffix(pages_at))
        desk.session.cookies.update(admin.session.cookies)
        members = desk.open("/admin/khalti/members/")
        link = next(a["href"] for a in members.soup.find_all("a", href=True) if "gita@" in a.get_text())
        return Day(
            thanks=thanks,
            before=before,
            reconciled=reconciled,
            refund=refund,
            member=desk.open(urljoin(members.url, link)),
            audit=shop.audit(),
        )


def order(customer: BrowserSession, email: str = "") -> Page:
    """Order the product with Khalti, up to Khalti's page; a guest has an ``email``."""
    customer.add("Palpasa Cafe")
    return customer.place_order(customer.choose(customer.check_out(email=email), "khalti"))
