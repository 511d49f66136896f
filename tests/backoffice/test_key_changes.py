"""The key and the server need a permission of their own; every change is mailed and shown for some days (M21)."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core import mail
from django.test import Client
from django.utils import timezone
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti import conf, outbox
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments.models import Credentials
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, staff_user

from .conftest import KEY, OTHER

Form = dict[str, str]
Settings = Any
NO_PERMISSION = "You do not have permission to change the secret key or the server, so nothing was saved."


@pytest.fixture
def alerts(deployment: Any) -> None:
    deployment(ALERTS_TO=["owner@shop.example"])


@pytest.fixture
def saved_key(site: Site) -> Credentials:
    return conf.save_secret_key("default", conf.LIVE, Secret(KEY))


@pytest.fixture
def live(site: Site) -> KhaltiSettings:
    return KhaltiSettings.objects.create(site=site, environment=conf.LIVE)


@pytest.fixture
def without_permission(editor: User) -> None:
    """The permission is gone, as between showing the form and sending it."""
    editor.groups.get().permissions.remove(Permission.objects.get(codename="change_secret_key"))


def mails() -> list[Any]:
    outbox.deliver()
    return mail.outbox


def home(name: str = "vera", *permissions: str) -> str:
    return page_text(Desk(staff_user(name, *(permissions or ("view_payment",)))).open("wagtailadmin_home"))


@pytest.mark.django_db
def test_no_default_group_may_change_the_key() -> None:
    """M21: every editor could replace the key by another merchant's."""
    named = Group.objects.filter(permissions__codename="change_secret_key")

    assert not named.exists()
    assert Permission.objects.filter(codename="change_secret_key").count() == 1


@pytest.mark.parametrize(
    "posted",
    [
        {"secret_key": OTHER},
        {"environment": "test"},
        {"remove_key": "on"},
        {"environment": "test", "secret_key": OTHER},
    ],
    ids=lambda posted: "+".join(posted),
)
def test_without_the_permission_neither_key_nor_server_changes(
    browser: Client, page: str, form: Form, live: KhaltiSettings, saved_key: Credentials, without_permission: None,
    alerts: None, posted: Form,
) -> None:  # fmt: skip
    """M21, M5: also where the permission was removed after the form was shown; nothing is saved then."""
    response = browser.post(page, form | {"environment": "live", "title": "Stolen"} | posted)

    assert NO_PERMISSION in page_text(response)
    stored = KhaltiSettings.objects.get()
    assert (stored.environment, stored.title) == ("live", "Khalti")
    assert Credentials.objects.get(retired_at=None) == saved_key
    assert mails() == []


def test_without_the_permission_the_other_settings_can_be_changed(
    browser: Client, page: str, form: Form, live: KhaltiSettings, saved_key: Credentials, without_permission: None
) -> None:
    """M21"""
    del form["environment"], form["secret_key"]
    shown = page_text(browser.get(page))
    browser.post(page, form | {"title": "Khalti wallet"})

    assert "Only staff with the permission" in shown
    stored = KhaltiSettings.objects.get()
    assert (stored.environment, stored.title) == ("live", "Khalti wallet")


def test_a_form_without_the_fields_does_not_undo_a_colleagues_change(
    browser: Client, page: str, form: Form, live: KhaltiSettings, without_permission: None
) -> None:
    """M21"""
    del form["environment"], form["secret_key"]
    browser.get(page)
    KhaltiSettings.objects.update(environment=conf.TEST)
    browser.post(page, form)

    assert KhaltiSettings.objects.get().environment == conf.TEST


def test_a_new_key_is_mailed_with_who_when_and_which_fingerprint(
    browser: Client, page: str, form: Form, live: KhaltiSettings, saved_key: Credentials, alerts: None
) -> None:
    """M21"""
    browser.post(page, form | {"environment": "live", "secret_key": OTHER})

    (message,) = mails()
    assert (message.to, message.subject) == (["owner@shop.example"], "Khalti: A new secret key was entered")
    for text in ("maya", "live", saved_key.fingerprint, Secret(OTHER).fingerprint):
        assert text in message.body
    assert KEY not in message.body + str(list(outbox.Message.objects.values()))
    assert OTHER not in message.body + str(list(outbox.Message.objects.values()))


def test_the_same_key_again_is_no_change(
    browser: Client, page: str, form: Form, live: KhaltiSettings, saved_key: Credentials, alerts: None
) -> None:
    browser.post(page, form | {"environment": "live", "secret_key": KEY})

    assert mails() == []


def test_another_server_is_mailed_and_logged_once(
    browser: Client, page: str, form: Form, live: KhaltiSettings, alerts: None, editor: User
) -> None:
    """M21"""
    browser.post(page, form | {"environment": "test"})

    (message,) = mails()
    assert message.subject == "Khalti: Payments go to another server of Khalti's"
    assert "Before: live" in message.body
    entry = ModelLogEntry.objects.get(action="loyalink_khalti.change_environment")
    assert (entry.user, entry.data["old"], entry.data["new"]) == (editor, "live", "test")


def test_a_removed_key_is_mailed(
    browser: Client, page: str, form: Form, live: KhaltiSettings, saved_key: Credentials, alerts: None
) -> None:
    """M21"""
    browser.post(page, form | {"environment": "live", "remove_key": "on"})

    (message,) = mails()
    assert message.subject == "Khalti: The secret key was removed"
    assert saved_key.fingerprint in message.body


def test_another_key_of_the_deployment_is_mailed_when_it_is_first_used(site: Site, deployment: Any) -> None:
    """M21: the sibling: a change of the environment redirects the money as well."""
    deployment(KHALTI_SECRET_KEY=KEY)
    conf.credentials("default")
    deployment(KHALTI_SECRET_KEY=OTHER, ALERTS_TO=["owner@shop.example"])
    conf.credentials("default")
    conf.credentials("default")

    (message,) = mails()
    assert "another secret key" in message.subject
    assert "the server's configuration" in message.body
    assert Secret(OTHER).fingerprint in message.body
    assert "the server's configuration New key: test" in home()


@pytest.mark.parametrize("permission", ["view_payment", "change_khaltisettings"])
def test_the_dashboard_shows_a_change_for_some_days(
    browser: Client, page: str, form: Form, live: KhaltiSettings, saved_key: Credentials, permission: str
) -> None:
    """M21"""
    browser.post(page, form | {"environment": "live", "secret_key": OTHER})

    shown = home("vera", permission)
    ModelLogEntry.objects.update(timestamp=timezone.now() - timedelta(days=8))

    assert f"New key: live, {Secret(OTHER).fingerprint}" in shown
    assert "maya" in shown
    assert "New key" not in home("later", permission)


def test_the_dashboard_shows_it_to_staff_of_payments_only(
    browser: Client, page: str, form: Form, live: KhaltiSettings
) -> None:
    browser.post(page, form | {"environment": "test"})

    assert "live → test" not in home("vera", "view_account")
    assert "live → test" in home("paul", "view_payment")
