"""A shop with a way to encrypt keys, an editor, and the page of Khalti's settings."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from wagtail.models import Site

from loyalink_khalti.backoffice.models import KhaltiSettings

KEY = "live_secret_key_00000000000040008000000000c0ffee"
OTHER = "live_secret_key_0000000000004000800000000badcafe"
LOOKUP = "https://dev.khalti.com/api/v2/epayment/lookup/"


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Wagtail caches the sites of earlier tests."""
    cache.clear()


@pytest.fixture
def deployment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the package with Fernet keys and other settings."""

    def configure(**options: Any) -> None:
        settings.LOYALINK_KHALTI = {"FERNET_KEYS": [Fernet.generate_key().decode()], **options}

    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    configure()
    return configure


@pytest.fixture
def site(db: None, deployment: Callable[..., None]) -> Site:
    return Site.objects.get(is_default_site=True)


@pytest.fixture
def editor(db: None) -> User:
    """A user who may edit Khalti's settings with the key, and nothing else."""
    group = Group.objects.create(name="Shopkeepers")
    group.permissions.set(
        Permission.objects.filter(codename__in=["access_admin", "change_khaltisettings", "change_secret_key"])
    )
    user = User.objects.create(username="maya", email="maya@example.com", is_staff=True)
    user.groups.add(group)
    return user


@pytest.fixture
def browser(client: Client, editor: User) -> Client:
    """The editor's browser."""
    client.force_login(editor, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def page(site: Site) -> str:
    return reverse("wagtailsettings:edit", args=("loyalink_khalti", "khaltisettings", site.pk))


@pytest.fixture
def button(site: Site) -> str:
    """The URL to which "Test this key" posts."""
    return reverse("loyalink_khalti_test_key", args=(site.pk,))


@pytest.fixture
def khalti() -> Iterator[responses.RequestsMock]:
    """Khalti's servers: a test adds their answers."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def form() -> dict[str, str]:
    """The data of the form with an empty key."""
    default = KhaltiSettings()
    shown = {"enabled": "on", "environment": "test", "title": default.title, "text": default.text, "secret_key": ""}
    return shown | {"audience": "everybody", "minimum_order": "10", "maximum_order": "", "refund_limit": ""}
