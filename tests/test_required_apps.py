"""H4: where Wagtail is missing, or a part of it, one error says so before Django stops at a model or a migration."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti.required_apps import WAGTAIL, require_apps

ROOT = Path(__file__).parent.parent
START = """
import sys
from django.conf import settings
from sandbox import settings as sandbox

left_out = sys.argv[2].split(",")
chosen = {name: getattr(sandbox, name) for name in dir(sandbox) if name.isupper()}
apps = [app for app in sandbox.INSTALLED_APPS if app not in left_out]
if sys.argv[1] == "last":
    apps.append(apps.pop(apps.index("loyalink_khalti")))
settings.configure(**{**chosen, "INSTALLED_APPS": apps})
import django

django.setup()
"""
SANDBOX = "sandbox.home"
"""Its pages are Wagtail's."""


class UsersConfig(AppConfig):
    """A shop's own AppConfig of an app of Wagtail, which Wagtail's docs describe."""

    name = "wagtail.users"


def test_nothing_is_missing_where_all_is_installed() -> None:
    require_apps(["loyalink_khalti", *WAGTAIL])


@pytest.mark.parametrize("users", ["wagtail.users.apps.WagtailUsersAppConfig", f"{__name__}.UsersConfig"])
def test_an_app_may_be_installed_by_its_config(users: str) -> None:
    require_apps(["loyalink_khalti", *(users if app == "wagtail.users" else app for app in WAGTAIL)])


@pytest.mark.parametrize("app", ["wagtail.admin", "wagtail", "taggit"])
def test_each_app_that_is_needed_is_named_alone(app: str) -> None:
    """H4"""
    with pytest.raises(ImproperlyConfigured) as caught:
        require_apps(["loyalink_khalti", *(each for each in WAGTAIL if each != app)])

    named = [line.strip(' ",') for line in str(caught.value).splitlines() if line.startswith('    "')]
    assert named == [app]


@pytest.mark.parametrize("app", ["wagtail.contrib.settings", "wagtail.users", "wagtail.images", "modelcluster"])
def test_an_app_without_which_the_shop_starts_is_named_together_with_others_alone(app: str) -> None:
    rest = ["loyalink_khalti", *(each for each in WAGTAIL if each != app)]
    require_apps(rest)

    rest.remove("wagtail.admin")
    with pytest.raises(ImproperlyConfigured, match=f'"{app}",'):
        require_apps(rest)


def test_an_entry_that_cannot_be_imported_is_left_to_django() -> None:
    with pytest.raises(ImproperlyConfigured, match=r'"wagtail\.admin"'):
        require_apps(["shop.apps.NoSuchConfig", "loyalink_khalti"])


def test_oscar_without_sites_is_named() -> None:
    """H4b"""
    with pytest.raises(ImproperlyConfigured, match=r'"django\.contrib\.sites"'):
        require_apps(["loyalink_khalti", *WAGTAIL, "oscar.config.Shop"])


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize(
    "left_out", [[*WAGTAIL, SANDBOX], ["wagtail.admin", SANDBOX], ["taggit", SANDBOX]], ids=["all", "admin", "taggit"]
)
def test_the_error_comes_before_any_other_wherever_we_are_listed(left_out: list[str], place: str) -> None:
    """H4"""
    done = subprocess.run(
        [sys.executable, "-c", START, place, ",".join(left_out)], cwd=ROOT, capture_output=True, text=True
    )

    assert "ImproperlyConfigured: loyalink_khalti needs Wagtail with its admin." in done.stderr
    for app in left_out[:-1]:
        assert f'\n    "{app}",\n' in done.stderr
