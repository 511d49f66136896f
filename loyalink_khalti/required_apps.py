"""The apps without which this one cannot be loaded, or Wagtail's admin shows no page.

Without Wagtail Django stops at a model of some other app; without its admin at a migration, after a clean ``check``.
"""

from collections.abc import Iterator, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

WAGTAIL = (
    "wagtail.contrib.settings",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
)
"""Wagtail with its admin, where keys, rules, payments and members are; in the order of Wagtail's docs."""
NEEDED_TO_LOAD = {"wagtail.admin", "wagtail", "taggit"}
"""Those without which Django cannot load the models or the migrations."""
SITES = "django.contrib.sites"
"""What django-oscar needs of Django."""

_WAGTAIL_TOO = """\
In a project that has no Wagtail yet, urls.py needs
    path("admin/", include("wagtail.admin.urls")),
and settings.py
    WAGTAIL_SITE_NAME = "My shop"
    WAGTAILADMIN_BASE_URL = "https://shop.example.com"
beside Django's own middleware and context processors, as startproject writes them."""


def require_apps(installed: Sequence[str]) -> None:
    """Raise ``ImproperlyConfigured`` with the lines that ``INSTALLED_APPS`` lacks."""
    missing = _missing(WAGTAIL, installed)
    if NEEDED_TO_LOAD.intersection(missing):
        raise ImproperlyConfigured(f"{_lines('loyalink_khalti needs Wagtail with its admin', missing)}{_WAGTAIL_TOO}")
    if _missing(("oscar",), installed) == [] and (missing := _missing((SITES,), installed)):
        raise ImproperlyConfigured(f"{_lines('django-oscar needs Django’s sites, and SITE_ID = 1', missing)}")


def _missing(needed: Sequence[str], installed: Sequence[str]) -> list[str]:
    if not set(needed).difference(installed):
        return []
    names = set(_names(installed))
    return [app for app in needed if app not in names]


def _names(installed: Sequence[str]) -> Iterator[str]:
    """Yield the names of the apps; an entry may be the path of an AppConfig, perhaps of the shop's own."""
    for entry in installed:
        yield entry
        if entry.rpartition(".")[2][:1].isupper():
            try:
                yield import_string(entry).name
            except (ImportError, AttributeError):  # Django says what is wrong with that line
                continue


def _lines(need: str, missing: Sequence[str]) -> str:
    lines = "".join(f'    "{app}",\n' for app in missing)
    return f"{need}. Add to INSTALLED_APPS, and then run `python manage.py migrate`:\n{lines}"
